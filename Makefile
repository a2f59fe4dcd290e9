# One place that knows how to check: the repository root is the package, under whatever name its folder has.
PYTHON ?= python3
CHECKED = .check/intelligent_generation

.PHONY: check
check:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	@mkdir -p .check && ln -sfn .. $(CHECKED)
	MYPYPATH=.check $(PYTHON) -m mypy -p intelligent_generation
