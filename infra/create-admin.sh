#!/usr/bin/env bash
# Creates a platform admin of a deployment. Asks for the password unless ADMIN_PASSWORD is set.
#   infra/create-admin.sh STAGE EMAIL FIRST_NAME LAST_NAME
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 4 ] || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
stage=$1
shift
if [ -z "${ADMIN_PASSWORD:-}" ]; then
  read -rsp 'Password of the new admin: ' ADMIN_PASSWORD
  echo >&2
fi
export ADMIN_PASSWORD
# The program supports neither SSO nor credential processes; the AWS CLI does.
eval "$(aws configure export-credentials --format env)"
AWS_REGION=${AWS_REGION:-$(aws configure get region)}
export AWS_REGION
key() { aws secretsmanager get-secret-value --secret-id "upzento/$stage/keys" --query SecretString --output text |
  python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
TABLE_NAME=$(aws cloudformation describe-stacks --stack-name "upzento-$stage" \
  --query "Stacks[0].Outputs[?OutputKey=='TableName'].OutputValue" --output text)
export TABLE_NAME TOKEN_ISSUER="upzento-$stage"
TOKEN_JWKS=$(key jwks) USER_KEY=$(key users) cargo run --quiet -p infra --bin create-admin -- "$@"
