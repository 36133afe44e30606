"""Runs in the handbook's own environment: prints the tool as a model is offered it, as JSON."""

from __future__ import annotations

import json

from handbook.tool import handbook
from langchain_core.utils.function_calling import convert_to_openai_tool

print(json.dumps(convert_to_openai_tool(handbook)))
