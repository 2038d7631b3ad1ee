# METADATA
# title: No valueFrom inside environment
# description: |
#   An entry of environment has name and value only. AWS refuses valueFrom there, or drops it and starts the container
#   without the variable.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_KeyValuePair.html
#     description: KeyValuePair
# custom:
#   why: >-
#     The SDK refuses the request, or a tool drops the member and the container starts without its secret.
#   severity: high
#   action: deny
#   fix: move-reference-to-secrets
#   message: environment variable {name} of container {container} has a valueFrom, which only secrets takes
#   remediation: Move the entry of {name} from environment to secrets of container {container}.
#   variants:
#     override:
#       fix: remove-item
#       message: the override of {name} in container {container} has a valueFrom, which no override takes
#       remediation: >-
#         Register a new revision of the task definition that has the entry under secrets of container {container}, delete it
#         from the overrides and start that revision.
package admission.rules.references["value-from-in-environment"]

import data.admission.lib.operations

# METADATA
# scope: document
# description: The references that stand in environment.
findings contains object.union({"at": reference.pointer}, _variant) if {
	some reference in input.references
	reference.field == "environment"
}

default _variant := {}

_variant := {"variant": "override"} if operations.overrides
