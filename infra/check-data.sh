#!/usr/bin/env bash
# Checks the data of a deployment. Prints one line per violation and fails if there is any.
#   infra/check-data.sh STAGE
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 1 ] || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
stage=$1
# The program supports neither SSO nor credential processes; the AWS CLI does.
eval "$(aws configure export-credentials --format env)"
AWS_REGION=${AWS_REGION:-$(aws configure get region)}
TABLE_NAME=${TABLE_NAME:-$(aws cloudformation describe-stacks --stack-name "upzento-$stage" \
  --query "Stacks[0].Outputs[?OutputKey=='TableName'].OutputValue" --output text)}
export AWS_REGION TABLE_NAME
cargo run --quiet -p infra --bin check-data
