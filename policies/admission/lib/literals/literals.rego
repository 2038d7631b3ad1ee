# METADATA
# title: When a literal is taken for a secret
# description: |
#   The service observes (which words a name ends in, what kind a value is, which detectors know it); the
#   functions here judge, with the tunables of data.config.kinds.
package admission.lib.literals

# METADATA
# description: |
#   True where some signal of the literal is not explained by what its value is, and no rule of its own says more of it:
#   a static AWS key and what is resolved at deploy have one each.
leaks(literal) if {
	not aws_key(literal)
	not resolved_at_deploy(literal)
	some signal in literal.signals
	not _explained(literal, signal)
}

# METADATA
# description: True where the literal is or holds a static AWS key, which a task role replaces.
aws_key(literal) if {
	some signal in literal.signals
	_is_aws(literal, signal)
	not _explained(literal, signal)
}

# METADATA
# description: True where CloudFormation replaces a part of the literal by the secret itself, and it is no AWS key.
resolved_at_deploy(literal) if {
	not aws_key(literal)
	some signal in literal.signals
	signal.detector == "native"
	signal.rule == "resolved-at-deploy"
}

# METADATA
# description: |
#   True where the literal is an ARN under the name of what is in a secret, so that the application would get the ARN.
misplaced(literal) if {
	literal.kind == "arn"
	literal.service in data.config.kinds.misplaced_services
	some signal in literal.signals
	signal.detector == "name"
	signal.confidence == "high"
	not signal.rule in data.config.kinds.names_of_secrets
}

# METADATA
# description: True where a bound kept part of the literal from being looked at.
unscanned(literal) if {
	some signal in literal.signals
	signal.detector == "unscanned"
}

_is_aws(_, signal) if signal.rule in data.config.kinds.aws_keys

_is_aws(literal, signal) if {
	signal.rule in data.config.kinds.aws_key_words
	"aws" in literal.words
}

# A name that ends in a secret's word says nothing about a value that cannot be one.
_explained(literal, signal) if {
	signal.detector == "name"
	signal.confidence == "high"
	literal.kind in data.config.kinds.harmless
}

# A name that only might be one of a secret weighs less: the value has to look like a credential.
_explained(literal, signal) if {
	signal.detector == "name"
	signal.confidence == "medium"
	not literal.kind in data.config.kinds.credential_like
}

_explained(literal, signal) if {
	signal.detector == "name"
	signal.confidence == "low"
	not literal.kind in data.config.kinds.generated
}

# What was not scanned is judged by a rule of its own.
_explained(_, signal) if signal.detector == "unscanned"
