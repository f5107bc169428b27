#!/usr/bin/env bash
# Computes anew whatever the data of a deployment counts or keeps twice, and prints what differs; fails if anything does.
#   infra/check-data.sh STAGE
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 1 ] || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
stage=$1
# The tool below knows neither SSO nor credential processes: the AWS CLI does.
eval "$(aws configure export-credentials --format env)"
AWS_REGION=${AWS_REGION:-$(aws configure get region)}
TABLE_NAME=${TABLE_NAME:-$(aws cloudformation describe-stacks --stack-name "upzento-$stage" \
  --query "Stacks[0].Outputs[?OutputKey=='TableName'].OutputValue" --output text)}
export AWS_REGION TABLE_NAME
cargo run --quiet -p infra --bin check-data
