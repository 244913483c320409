# For the scripts beside this file: the programs that they run, processes that end with the script, and the addresses
# that these tell.

# Builds redraft and bedrock-sim as `cargo test --workspace` does, with the same features of all crates, so that
# what it has built is not built again: build_programs ROOT
build_programs() {
  cargo test --quiet --manifest-path "$1/Cargo.toml" --workspace --no-run --test cli --test wire
}

processes=()
stop() {
  for process in "${processes[@]}"; do
    kill "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
  done
}
trap stop EXIT
trap 'exit 130' INT TERM

# Waits until a file tells an address: address_in FILE PATTERN PROCESS
address_in() {
  local address
  for _ in $(seq 200); do
    address=$(sed -n "s#$2#\\1#p" "$1" | head -n 1)
    [ -n "$address" ] && { echo "$address"; return; }
    kill -0 "$3" 2>/dev/null || break
    sleep 0.05
  done
  echo "no address in $1:" >&2
  cat "$1" >&2
  return 1
}
