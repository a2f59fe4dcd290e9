# Two commands do the main things, with all their own set-up:
#   make run PROMPT="a red cat in the snow"      make test
PYTHON ?= python3
PROMPT ?= anime girl, magical powers, Victorian mansion, detailed, masterpiece
# The prompt is data: handed over as it is, expanded neither by make nor by the shell.
export IIG_PROMPT := $(value PROMPT)
IN_ENVIRONMENT = $(PYTHON) bootstrap.py python
# Each worker may start a ComfyUI of its own, which takes about 1 GB.
WORKERS ?= $(shell $(PYTHON) -c "import os; print(min(os.cpu_count() or 1, 3))")
CHECKED = .check/intelligent_generation

.PHONY: run test check golden bench pictures

run:
	@$(PYTHON) bootstrap.py run --prompt "$$IIG_PROMPT"

test:
	@$(IN_ENVIRONMENT) -m pytest -n $(WORKERS) --dist loadfile

# The repository root is the package, under whatever name its folder has: the link gives it its import name.
check:
	@mkdir -p .check && ln -sfn .. $(CHECKED)
	@$(IN_ENVIRONMENT) -m ruff check .
	@$(IN_ENVIRONMENT) -m ruff format --check .
	@$(IN_ENVIRONMENT) -c "import os, runpy, sys; os.chdir('.check'); sys.argv = ['mypy', '--config-file', '../pyproject.toml', '-p', 'intelligent_generation']; runpy.run_module('mypy', run_name='__main__')"

golden:
	@$(IN_ENVIRONMENT) tests/graph/golden.py
	@IIG_GOLDEN=1 $(IN_ENVIRONMENT) -m pytest tests/intelligence/test_explain.py

bench:
	@$(IN_ENVIRONMENT) bench/scan.py --quick
	@$(IN_ENVIRONMENT) bench/recommend_speed.py

# Thumbnails of the templates and the pictures of README, to be looked at before they are committed.
pictures:
	@IIG_THUMBNAILS=1 $(IN_ENVIRONMENT) -m pytest tests/canvas/test_templates.py tests/canvas/readme_pictures.py
