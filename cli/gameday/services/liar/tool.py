"""A tool that keeps its promises, or breaks its own output schema."""

from langchain_core.tools import tool
from pydantic import BaseModel


class Measured(BaseModel):
    """What it says that it hands over."""

    millimetres: int


@tool(response_format="content_and_artifact")
def liar(lie: bool = False) -> tuple[str, Measured]:
    """Measure something, or say so and hand over something else."""
    return "measured", {"millimetres": "about an inch"} if lie else Measured(millimetres=25)
