# METADATA
# title: One name, one source
# description: |
#   The names of secrets and of environment variables share one namespace. ECS refuses a task definition in which a secret
#   has the name of an environment variable or of another secret of the container.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
#     description: Pass Secrets Manager secrets through Amazon ECS environment variables
# custom:
#   why: >-
#     AWS refuses the registration, and says so only at the end of the pipeline.
#   severity: high
#   action: deny
#   fix: remove-item
#   message: secret {name} of container {container} has the name of an environment variable of the same container
#   remediation: Delete {name} from the environment of container {container}, or rename one of the two.
#   variants:
#     environment:
#       fix: remove-from-environment
#       message: secret {name} of container {container} has the name of an environment variable of the same container
#     secret:
#       message: container {container} has more than one secret named {name}
#       remediation: Keep one entry of {name} in the secrets of container {container}.
package admission.rules.references["name-collision"]

import data.admission.lib.containers

# METADATA
# scope: document
# description: The secrets whose name is taken.
findings contains {"at": _pointer(place, s), "variant": "environment"} if {
	some place, container in containers.at
	some s, secret in container.secrets
	secret.name in container.environmentNames
}

findings contains {"at": _pointer(place, s), "variant": "secret"} if {
	some place, names in _positions
	some positions in names
	first := min(positions)
	some s in positions
	s > first
}

# Where the secrets of each name stand in each container.
_positions[place][secret.name] contains s if {
	some place, container in containers.at
	some s, secret in container.secrets
}

_pointer(place, s) := concat("/", [place, "secrets", format_int(s, 10), "name"])
