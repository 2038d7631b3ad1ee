# METADATA
# title: One name, one source
# description: |
#   The names of secrets and of environment variables share one namespace. ECS refuses a task definition in which a secret
#   has the name of an environment variable or of another secret of the container.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
#     description: Pass Secrets Manager secrets through Amazon ECS environment variables
# custom:
#   severity: high
#   action: deny
#   message: secret {name} of container {container} has the name of an environment variable of the same container
#   remediation: Delete {name} from the environment of container {container}, or rename one of the two.
#   variants:
#     environment:
#       message: secret {name} of container {container} has the name of an environment variable of the same container
#     secret:
#       message: container {container} has more than one secret named {name}
#       remediation: Keep one entry of {name} in the secrets of container {container}.
package admission.rules.references["name-collision"]

# METADATA
# scope: document
# description: The secrets whose name is taken.
findings contains {"at": _pointer(c, s), "variant": "environment"} if {
	some c, container in input.object.containerDefinitions
	some s, secret in container.secrets
	secret.name in container.environmentNames
}

findings contains {"at": _pointer(c, s), "variant": "secret"} if {
	some c, name
	places := _places[c][name]
	first := min(places)
	some s in places
	s > first
}

# Where the secrets of each name stand in each container.
_places[c][secret.name] contains s if {
	some c, container in input.object.containerDefinitions
	some s, secret in container.secrets
}

_pointer(c, s) := concat("/", ["/containerDefinitions", format_int(c, 10), "secrets", format_int(s, 10), "name"])
