# The two commands of the README are `make run` and `make test`. The work is in scripts/.

.POSIX:
.PHONY: help run test bench deny clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

run: ## build, then measure every GPU (or the software adapter): make run ARGS='--grid CN-QH'
	@scripts/run $(ARGS)

test: ## every check: formatting, lints, tests, documentation, and a run of the release build
	@scripts/test

bench: ## time the parts of wattmark itself: make bench ARGS=integrate
	@cargo bench --locked -- $(ARGS)

deny: ## check licences, duplicate crates and sources of the dependencies (needs cargo-deny)
	@cargo deny --version >/dev/null 2>&1 || { echo "cargo-deny is missing: cargo install cargo-deny --locked" >&2; exit 1; }
	@cargo deny check bans licenses sources

clean: ## remove what was built; records under results/ stay
	@cargo clean
