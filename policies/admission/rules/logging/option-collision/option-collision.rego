# METADATA
# title: One log option, one source
# description: |
#   options and secretOptions of a log configuration give the log driver its settings together. An option that stands in
#   both, or twice in secretOptions, has two values, and AWS does not say which of them counts.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LogConfiguration.html
#     description: LogConfiguration
# custom:
#   why: >-
#     The log driver may get the old value of options in the place of the secret, and the log goes nowhere or elsewhere.
#   severity: low
#   action: warn
#   fix: none
#   message: secret option {name} of container {container} is given twice
#   remediation: Keep one entry of {name} in the log configuration of container {container}.
#   variants:
#     option:
#       message: secret option {name} of container {container} stands in the options of the same log configuration, too
#       remediation: Delete {name} from the options of the log configuration of container {container}.
#     secret:
#       fix: remove-item
#       message: container {container} has more than one secret option named {name}
#       remediation: Keep one entry of {name} in the secretOptions of container {container}.
package admission.rules.logging["option-collision"]

import data.admission.lib.containers

# METADATA
# scope: document
# description: The secret options whose name is taken.
findings contains {"at": _pointer(place, s), "variant": "option"} if {
	some place, log in _logs
	some s, secret in log.secretOptions
	secret.name in object.keys(log.options)
}

findings contains {"at": _pointer(place, s), "variant": "secret"} if {
	some place, names in _positions
	some positions in names
	first := min(positions)
	some s in positions
	s > first
}

# The log configurations by their pointers.
_logs[concat("/", [place, "logConfiguration"])] := container.logConfiguration if some place, container in containers.at

_logs[concat("/", [place, "logConfiguration"])] := connect.logConfiguration if {
	some place, connect in {"/serviceConnectConfiguration": input.object.serviceConnectConfiguration}
}

# Where the secret options of each name stand in each log configuration.
_positions[place][secret.name] contains s if {
	some place, log in _logs
	some s, secret in log.secretOptions
}

_pointer(place, s) := concat("/", [place, "secretOptions", format_int(s, 10), "name"])
