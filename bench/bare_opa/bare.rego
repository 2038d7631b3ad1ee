# METADATA
# title: What a team writes straight against OPA
# description: Detection with regular expressions in Rego over every value of a raw task definition.
package bare

# METADATA
# entrypoint: true
result := {"allowed": count(violations) == 0, "violations": violations}

violations contains violation("secret-name", [i, "environment", j, "value"]) if {
	some i, j
	variable := input.containerDefinitions[i].environment[j]
	variable.value != ""
	secret_name(variable.name)
}

violations contains violation("secret-value", [i, "environment", j, "value"]) if {
	some i, j
	secret_value(input.containerDefinitions[i].environment[j].value)
}

violations contains violation("secret-value", [i, "command", j]) if {
	some i, j
	secret_value(input.containerDefinitions[i].command[j])
}

violations contains violation("secret-name", [i, "logConfiguration", "options", option]) if {
	some i
	some option, _ in input.containerDefinitions[i].logConfiguration.options
	secret_name(option)
}

violations contains violation("secret-value", [i, "logConfiguration", "options", option]) if {
	some i
	some option, value in input.containerDefinitions[i].logConfiguration.options
	secret_value(value)
}

violations contains violation("secret-name", [i, "dockerLabels", label]) if {
	some i
	some label, _ in input.containerDefinitions[i].dockerLabels
	secret_name(label)
}

violations contains violation("secret-value", [i, "dockerLabels", label]) if {
	some i
	some label, value in input.containerDefinitions[i].dockerLabels
	secret_value(value)
}

violations contains violation("value-from", [i, "secrets", j, "valueFrom"]) if {
	some i, container in input.containerDefinitions
	some j, secret in container.secrets
	not valid_reference(secret.valueFrom)
}

violation(rule, path) := {"rule": rule, "pointer": sprintf("/containerDefinitions/%s", [concat("/", segments)])} if {
	segments := [sprintf("%v", [segment]) | some segment in path]
}

secret_name(name) if {
	some pattern in name_patterns
	regex.match(pattern, name)
}

secret_value(value) if {
	some pattern in value_patterns
	regex.match(pattern, value)
}

valid_reference(reference) if {
	some pattern in reference_patterns
	regex.match(pattern, reference)
}
