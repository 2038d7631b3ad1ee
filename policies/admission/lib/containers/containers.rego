# METADATA
# title: The containers of a request
# description: Where the operations keep what they say of a container, so that a rule need not know each of them.
package admission.lib.containers

# METADATA
# scope: document
# description: The containers by their pointers. An override of one is a container, too.
at[pointer] := container if {
	some c, container in input.object.containerDefinitions
	pointer := concat("/", ["/containerDefinitions", format_int(c, 10)])
}

at[pointer] := container if {
	some c, container in input.object.overrides.containerOverrides
	pointer := concat("/", ["/overrides/containerOverrides", format_int(c, 10)])
}

at[pointer] := container if some pointer, container in {"/primaryContainer": input.object.primaryContainer}
