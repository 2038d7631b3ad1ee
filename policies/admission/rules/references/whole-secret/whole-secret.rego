# METADATA
# title: One key of a JSON secret, not the whole of it
# description: |
#   Without a JSON key a reference injects the whole text of a Secrets Manager secret. Where another reference takes one key
#   of the same secret, or two variables of a container get the same whole secret, a key was most likely forgotten.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
#     description: Pass Secrets Manager secrets through Amazon ECS environment variables
# custom:
#   why: >-
#     The variable holds JSON text where the application expects a password, and every value of the secret reaches a
#     container that needs one.
#   severity: low
#   action: warn
#   fix: none
#   message: "{place} gets the whole of a secret"
#   remediation: >-
#     Write the JSON key behind the ARN, with both closing colons: secret:NAME-SUFFIX:JSON-KEY::
#   variants:
#     key:
#       message: "{place} gets the whole of a secret of which another reference takes one key"
#     names:
#       message: "{place} gets the same whole secret as another variable of its container"
#       remediation: >-
#         If the secret is JSON, write the key that each variable is for behind its ARN, with both closing colons:
#         secret:NAME-SUFFIX:JSON-KEY:: . If it is one plain value, let the container read it from one variable.
package admission.rules.references["whole-secret"]

# METADATA
# scope: document
# description: The secrets that are injected whole and that are not meant so.
findings contains {"at": reference.pointer, "variant": "key"} if {
	some reference in _whole
	_id(reference) in _keyed
}

findings contains {"at": reference.pointer, "variant": "names"} if {
	some reference in _whole
	id := _id(reference)
	not id in _keyed
	count(_names[reference.container][id]) > 1
}

_whole contains reference if {
	some reference in input.references
	reference.field in {"secrets", "secretOptions"}
	reference.service == "secretsmanager"
	reference.jsonKey == null
}

# The secrets of which some reference takes a key.
_keyed contains _id(reference) if {
	some reference in input.references
	is_string(reference.jsonKey)
}

# The variables of each container that get each secret whole.
_names[reference.container][_id(reference)] contains reference.name if {
	some reference in _whole
	reference.field == "secrets"
}

_id(reference) := [reference.partition, reference.region, reference.account, reference.resource]
