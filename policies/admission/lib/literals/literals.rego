# METADATA
# title: When a literal is taken for a secret
# description: |
#   The service observes (which words a name ends in, what kind a value is, which detectors know it); the
#   functions here judge, with the tunables of data.config.kinds.
package admission.lib.literals

# METADATA
# description: True where some signal of the literal is not explained by what its value is.
leaks(literal) if {
	some signal in literal.signals
	not _explained(literal, signal)
}

# METADATA
# description: True where the literal is an ARN under the name of a secret, so that the application would get the ARN.
misplaced(literal) if {
	literal.kind == "arn"
	literal.service in data.config.kinds.misplaced_services
	some signal in literal.signals
	signal.detector == "name"
	signal.confidence == "high"
}

# METADATA
# description: True where a bound kept part of the literal from being looked at.
unscanned(literal) if {
	some signal in literal.signals
	signal.detector == "unscanned"
}

# A name that ends in a secret's word says nothing about a value that cannot be one.
_explained(literal, signal) if {
	signal.detector == "name"
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
