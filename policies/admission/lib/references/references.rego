# METADATA
# title: References to secret stores
# description: Sets of the references in input, by what they are for.
package admission.lib.references

# METADATA
# description: The fields in which ECS resolves a reference at task start with the task execution role.
fields := {
	"secrets",
	"secretOptions",
	"repositoryCredentials",
	"environmentFiles",
	"firelensOption",
	"credentialSpecs",
	"dockerSecurityOptions",
	"fsxCredentials",
}

# METADATA
# description: The references that ECS resolves at task start.
injected contains reference if {
	some reference in input.references
	reference.field in fields
}

# METADATA
# description: The references that parse.
sound contains reference if {
	some reference in input.references
	reference.problem == null
}

# METADATA
# description: The pointers of the references that parse and name something in a service.
of(service) := {reference.pointer |
	some reference in sound
	reference.service == service
}
