#!/usr/bin/env bash
# Makes the key pair for the JWT login.
# The private key is for the collector, the certificate is for Salesforce.
#   bash scripts/new_key.sh [folder for the private key; default: the home folder]
# Writes <folder>/delete_tracker.key and <folder>/delete_tracker.crt.
# Puts the certificate into the metadata of the External Client App.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
folder="${1:-$HOME}"
key="$folder/delete_tracker.key"
certificate="$folder/delete_tracker.crt"
metadata_name=Delete_Tracker_glbloauth.ecaGlblOauth-meta.xml
metadata="$here/external-client-app/extlClntAppGlobalOauthSets/$metadata_name"

if [ ! -d "$folder" ]; then
    echo "new_key: there is no folder $folder; make it, or name another folder" >&2
    exit 1
fi
if [ -e "$key" ]; then
    echo "new_key: $key exists; move it away first, or name another folder" >&2
    exit 1
fi
umask 077
openssl req -x509 -newkey rsa:2048 -sha256 -nodes -days 730 -subj "/CN=Delete Event Tracker" \
    -keyout "$key" -out "$certificate" 2>"$folder/openssl.log" || {
    cat "$folder/openssl.log" >&2
    exit 1
}
rm -f "$folder/openssl.log"
mkdir -p "$(dirname "$metadata")"
while IFS= read -r line; do
    case "$line" in
        *@CERTIFICATE@*)
            printf '%s%s%s\n' \
                "${line%%@CERTIFICATE@*}" "$(cat "$certificate")" "${line##*@CERTIFICATE@}"
            ;;
        *) printf '%s\n' "$line" ;;
    esac
done < "$here/templates/$metadata_name" > "$metadata"

valid_until=$(openssl x509 -enddate -noout -in "$certificate" | cut -d= -f2)
cat <<NEXT
new_key: done. The certificate is valid until $valid_until.
  private key  $key
               -> SALESFORCE_PRIVATE_KEY (Key Vault) or SALESFORCE_PRIVATE_KEY_FILE
               Never put it into a repository.
  certificate  $certificate
               -> $metadata
Next: deploy external-client-app (step 4 of README.md).
If you created the app by hand, upload the certificate in Setup instead (see "The app by hand").
NEXT
