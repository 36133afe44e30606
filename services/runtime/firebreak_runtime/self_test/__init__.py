"""The self-test: tries from a worker's place what the walls around the service must refuse. Standard library only, so that it
takes a moment: JSON in (`asked.Asked`), one line of JSON out: {"reached": {promise: words, "" where it holds},
"untried": {promise: why not}}."""
