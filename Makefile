# The front door. Everything a run writes goes under var/ unless the environment says otherwise.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# cpu, or gpu on a machine with CUDA (faiss-gpu in place of faiss-cpu)
EXTRA ?= cpu
BIN := .venv/bin
READY := .venv/.ready-$(EXTRA)
# two files of tests at a time, in the order of tests/conftest.py
TWO := --numprocesses=2 --dist=loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup demo test check nightly backfill sql show why publish forget maintain status ui exam bench prove up down clean

help: ## what there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: $(READY) ## environment, Delta JARs and Java, once

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Python 3.11 is needed, this is %d.%d: make PYTHON=/path/to/python3.11" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable '.[$(EXTRA),dev]'
	$(BIN)/python -m spark.toolchain
	@touch $@

demo: $(READY) ## sample dumps, two nights through Airflow, a summary
	@$(BIN)/recsys demo

test: $(READY) ## every test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(TWO)

check: $(READY) ## the fast part: lint, types, import contracts, unit tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q $(TWO) -m 'not slow' tests/unit

nightly: $(READY) ## one night: DATE=2014-03-01 [LANDING=dir] [RECIPE=name] [ALLOW_REFUSED=1]
	@$(if $(DATE),,$(error which night? make nightly DATE=2014-03-01 [LANDING=dir]))
	@RECSYS_LANDING="$${LANDING:-$$RECSYS_LANDING}" $(BIN)/recsys night "$$DATE" --recipe="$$RECIPE" $(if $(ALLOW_REFUSED),--allow-refused)

backfill: $(READY) ## missing nights of a range: FROM=2014-03-01 TO=2014-03-05 [RERUN=1] [REVERSE=1] [LANDING=dir] [ALLOW_REFUSED=1]
	@$(if $(and $(FROM),$(TO)),,$(error which nights? make backfill FROM=2014-03-01 TO=2014-03-05 [RERUN=1] [REVERSE=1] [LANDING=dir]))
	@RECSYS_LANDING="$${LANDING:-$$RECSYS_LANDING}" $(BIN)/recsys backfill "$$FROM" "$$TO" \
		$(if $(filter 1 yes true,$(RERUN)),--rerun) $(if $(filter 1 yes true,$(REVERSE)),--reverse) $(if $(ALLOW_REFUSED),--allow-refused)

sql: $(READY) ## read-only SQL over the published tables: Q="select …" [FORMAT=csv]
	@RECSYS_QUERY="$$Q" $(BIN)/recsys sql --format="$${FORMAT:-table}"

show: $(READY) ## a user's history and slate with titles: [WHO=id] [DATE=2014-03-01]
	@$(BIN)/recsys show $(if $(WHO),"$$WHO") $(if $(DATE),--date="$$DATE")

why: $(READY) ## why a user saw an item: WHO=user WHAT=item [DATE=2014-03-01]
	@$(if $(and $(WHO),$(WHAT)),,$(error who saw what? make why WHO=user WHAT=item [DATE=2014-03-01]))
	@$(BIN)/recsys why $(if $(DATE),--date="$$DATE") -- "$$WHO" "$$WHAT"

publish: $(READY) ## the newest night again, so that a new blocklist counts at once
	@$(BIN)/recsys publish --latest

forget: $(READY) ## remove a reviewer from everything: WHO=id
	@$(BIN)/recsys forget "$$WHO"

maintain: $(READY) ## compact, vacuum, drop what the retention lets go: [DRY=1]
	@$(BIN)/recsys maintain $(if $(DRY),--dry-run)

status: $(READY) ## one screen: last good night and its age, what runs, what is red, what serves, disk
	@$(BIN)/recsys status

ui: $(READY) ## the pages to look at recommendations, Airflow, MLflow and the data docs on localhost
	@$(BIN)/recsys ui

exam: $(READY) ## models on a data set: DATA=dir [MODELS=a,b] [PROTOCOL=name] [FINAL=1] [OUT=file.json] [DATE=…]
	@$(if $(DATA),,$(error which data? make exam DATA=dir [MODELS=a,b] [PROTOCOL=name] [FINAL=1] [OUT=file.json]))
	@$(BIN)/recsys exam "$$DATA" $(if $(MODELS),--models="$$MODELS") $(if $(PROTOCOL),--protocol="$$PROTOCOL") \
		$(if $(filter 1 yes true,$(FINAL)),--final) $(if $(OUT),--out="$$OUT") $(if $(DATE),--date="$$DATE")

bench: $(READY) ## speed, each figure beside its floor or a peer in the same run
	@for each in night ingest topk blend epoch encoders embedding_store peers; do $(BIN)/python -m benchmarks.$$each || exit 1; done

prove: $(READY) ## the long proofs: what each modality is worth in the sample, kills at every write point, and orders of backfill with FROM=… TO=… LANDING=dir; hours
	@$(BIN)/python -m pytest -m prove
	@$(BIN)/python -m proofs.crash
	@$(if $(and $(FROM),$(TO),$(LANDING)),$(BIN)/python -m proofs.orders "$$FROM" "$$TO" --landing="$$LANDING" --out="$${OUT:-var/proofs/orders}")

up: ## the whole stack in containers, on localhost: [GPU=1] [RECSYS_LANDING=dir]
	@$(PYTHON) -m recsys_jobs.operations.stack.env_file && mkdir -p var/landing
	docker compose --profile $(if $(GPU),gpu,cpu) up --build --detach
	@echo 'Airflow http://127.0.0.1:8080 (admin, AIRFLOW_ADMIN_PASSWORD in .env)  MLflow :5000  Spark :8090  SQL jdbc:hive2://127.0.0.1:10000'

down: ## stop the containers; the volumes stay
	docker compose --profile cpu --profile gpu down

clean: ## remove what runs wrote (var/), keep the environment
	rm -rf var
