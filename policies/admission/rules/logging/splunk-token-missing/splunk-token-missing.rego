# METADATA
# title: Splunk gets its token
# description: |
#   The splunk log driver sends nothing without a token of the HTTP Event Collector. The token is a secret, so its place
#   is an entry splunk-token of secretOptions.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LogConfiguration.html
#     description: LogConfiguration
# custom:
#   why: >-
#     The log driver refuses to start, and the container with it. A person in a hurry then writes the token where it is
#     read by everybody, among the options.
#   severity: medium
#   action: deny
#   fix: add-splunk-token
#   message: a log configuration has the driver splunk and no splunk-token
#   remediation: >-
#     Store the token of the HTTP Event Collector in AWS Secrets Manager or as an SSM SecureString parameter, and add
#     splunk-token to the secretOptions of this log configuration with the ARN as valueFrom.
package admission.rules.logging["splunk-token-missing"]

import data.admission.lib.containers
import data.admission.lib.literals

# METADATA
# scope: document
# description: The log configurations of the driver splunk without a token. A name that is not shown is no token.
findings contains {"at": pointer} if {
	some pointer, configuration in _configurations
	configuration.logDriver == "splunk"
	not _has_token(pointer, configuration)
}

_configurations[concat("/", [place, "logConfiguration"])] := container.logConfiguration if {
	some place, container in containers.at
}

_configurations[pointer] := configuration if {
	configured := input.object.serviceConnectConfiguration.logConfiguration
	some pointer, configuration in {"/serviceConnectConfiguration/logConfiguration": configured}
}

_has_token(place, configuration) if {
	configuration.options["splunk-token"]
	not concat("/", [place, "options", "splunk-token"]) in _nothing
}

_has_token(_, configuration) if {
	some option in configuration.secretOptions
	option.name == "splunk-token"
}

# Where a text stands that is no token yet, or never will be.
_nothing contains literal.pointer if {
	some literal in input.literals
	literal.kind in {"empty", "placeholder", "template"}
	not literals.resolved_at_deploy(literal)
}
