# METADATA
# title: No valueFrom inside environment
# description: |
#   An entry of environment has name and value only. AWS refuses valueFrom there, or drops it and starts the container
#   without the variable.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_KeyValuePair.html
#     description: KeyValuePair
# custom:
#   severity: high
#   action: deny
#   message: environment variable {name} of container {container} has a valueFrom, which only secrets takes
#   remediation: Move the entry of {name} from environment to secrets of container {container}.
package admission.rules.references["value-from-in-environment"]

# METADATA
# scope: document
# description: The references that stand in environment.
findings contains {"at": reference.pointer} if {
	some reference in input.references
	reference.field == "environment"
}
