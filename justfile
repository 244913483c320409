# The one entrance for people. What must hold is written in .ci/run, once.

# List the recipes
default:
    @just --list --unsorted

# Run the service on this machine, without AWS
demo *args:
    cargo run --release -- demo {{args}}

# Run the service against AWS Bedrock
serve *args:
    cargo run --release -- serve {{args}}

# Format the code
fmt:
    cargo fmt --all

# Check formatting and lints
lint:
    bash .ci/run fmt lint

# Run every test
test:
    bash .ci/run test

# Rewrite the golden files (prompts, transcripts, openapi.yaml) after a wanted change
golden:
    UPDATE_GOLDEN=1 cargo test --workspace

# Write openapi.yaml anew
openapi:
    cargo run --quiet -- openapi > openapi.yaml

# Check licences, bans, sources and advisories of the dependencies
deny:
    bash .ci/run deny

# Check the Prometheus rules and the Grafana dashboard
deploy:
    bash .ci/run deploy

# Drive the playground in Chromium
playground:
    bash .ci/run playground

# Run boto3 and the JavaScript SDK against the simulator
conformance:
    bash .ci/run conformance

# Load the service for ten minutes while calls fail, and look for wrong answers and leaks
soak seconds="600":
    REDRAFT_SOAK_SECONDS={{seconds}} cargo test --release --test soak -- --nocapture

# Test the properties on new random cases, so many for each
properties cases="2000":
    PROPTEST_RNG_SEED=$(date +%s) PROPTEST_CASES={{cases}} cargo test --test properties
    PROPTEST_RNG_SEED=$(date +%s) PROPTEST_CASES={{cases}} cargo test --workspace --lib

# Look for inputs that break something, so many seconds per target (nightly, cargo-fuzz)
fuzz seconds="180":
    FUZZ_SECONDS={{seconds}} bash .ci/run fuzz

# Everything that must hold before a change goes in
ci:
    bash .ci/run

# Run the benches of the hot paths
bench *args:
    cargo bench {{args}}

# Build the image
docker:
    docker build --build-arg REDRAFT_GIT_SHA="$(git rev-parse HEAD)" -t redraft .

# Start the service, Prometheus and Grafana
up:
    docker compose up --build

# Stop them; their data stays
down:
    docker compose down
