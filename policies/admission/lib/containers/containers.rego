# METADATA
# title: The containers of a request
# description: Where the operations keep what they say of a container, so that a rule need not know each of them.
package admission.lib.containers

# METADATA
# description: The containers by their pointers. An override of one is a container, too.
at[concat("/", ["/containerDefinitions", format_int(c, 10)])] := container if {
	some c, container in input.object.containerDefinitions
}

at[concat("/", ["/overrides/containerOverrides", format_int(c, 10)])] := container if {
	some c, container in input.object.overrides.containerOverrides
}

at["/primaryContainer"] := input.object.primaryContainer
