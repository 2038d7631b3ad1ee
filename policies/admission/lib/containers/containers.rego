# METADATA
# title: The containers of a request
# description: Where the operations keep what they say of a container, so that a rule need not know each of them.
package admission.lib.containers

# METADATA
# scope: document
# description: The containers by their pointers. An override of one is a container, too.
at[pointer] := container if some pointer, container in defined

at[pointer] := container if {
	some c, container in input.object.overrides.containerOverrides
	pointer := concat("/", ["/overrides/containerOverrides", format_int(c, 10)])
}

at[pointer] := container if some pointer, container in {"/primaryContainer": input.object.primaryContainer}

# METADATA
# scope: document
# description: The containers of a task definition by their pointers. Only these mount volumes and wait for each other.
defined[pointer] := container if {
	some c, container in input.object.containerDefinitions
	pointer := concat("/", ["/containerDefinitions", format_int(c, 10)])
}

# METADATA
# scope: document
# description: |
#   The pointers of a task definition's containers by their names, as dependsOn and volumesFrom name them. ECS refuses
#   two containers of one name; here the first has it.
named[name] := min(pointers) if some name, pointers in _named

_named[container.name] contains pointer if some pointer, container in defined

# METADATA
# scope: document
# description: For each container those that it waits for, and each entry of its dependsOn that says so.
waits[pointer][other] contains {"at": at, "condition": dependency.condition} if {
	some pointer, container in defined
	some d, dependency in container.dependsOn
	other := named[dependency.containerName]
	at := concat("/", [pointer, "dependsOn", format_int(d, 10)])
}

# METADATA
# description: The containers that start before one because it, or one of them, waits for them; and itself.
before(pointer) := graph.reachable(_awaited, {pointer})

_awaited[pointer] := object.keys(object.get(waits, pointer, {})) if some pointer, _ in defined

# METADATA
# description: Those of them that have ended or are healthy by then, not only started; and the container itself.
ready_before(pointer) := graph.reachable(_readied, {pointer})

_readied[pointer] := object.get(_ready, pointer, set()) if some pointer, _ in defined

_ready[pointer] contains other if {
	some pointer, others in waits
	some other, entries in others
	some wait in entries
	wait.condition != "START"
}

# METADATA
# description: True where the task ends with the container, as it does unless the container says otherwise.
essential(pointer) if {
	container := defined[pointer]
	not container.essential == false
}
