#!/usr/bin/env bash
# Make the key pair of the JWT login: the private key for the collector, the certificate for Salesforce.
#   bash scripts/new_key.sh [folder for the private key, default: the home folder]
# Writes <folder>/delete_tracker.key and .crt, and puts the certificate into the External Client App's metadata.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
folder="${1:-$HOME}"
key="$folder/delete_tracker.key"
certificate="$folder/delete_tracker.crt"
metadata="$here/external-client-app/extlClntAppGlobalOauthSets/Delete_Tracker_glbloauth.ecaGlblOauth-meta.xml"

if [ -e "$key" ]; then
    echo "new_key: $key exists; move it away first, or name another folder" >&2
    exit 1
fi
umask 077
openssl req -x509 -newkey rsa:2048 -sha256 -nodes -days 730 -subj "/CN=Delete Event Tracker" -keyout "$key" -out "$certificate" 2>"$folder/openssl.log" || { cat "$folder/openssl.log" >&2; exit 1; }
rm -f "$folder/openssl.log"
mkdir -p "$(dirname "$metadata")"
while IFS= read -r line; do
    case "$line" in
        *@CERTIFICATE@*) printf '%s%s%s\n' "${line%%@CERTIFICATE@*}" "$(cat "$certificate")" "${line##*@CERTIFICATE@}" ;;
        *) printf '%s\n' "$line" ;;
    esac
done < "$here/templates/Delete_Tracker_glbloauth.ecaGlblOauth-meta.xml" > "$metadata"

cat <<NEXT
new_key: done. The certificate is valid until $(openssl x509 -enddate -noout -in "$certificate" | cut -d= -f2).
  private key  $key
               -> SALESFORCE_PRIVATE_KEY (Key Vault) or SALESFORCE_PRIVATE_KEY_FILE; never into a repository
  certificate  $certificate
               -> $metadata
Next: deploy external-client-app, see README.md.
NEXT
