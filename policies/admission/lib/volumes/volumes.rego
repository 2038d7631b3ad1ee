# METADATA
# title: The volumes of a task definition
# description: What volumes there are, and which containers have them.
package admission.lib.volumes

import data.admission.lib.containers

# METADATA
# scope: document
# description: The volumes by their pointers.
at[pointer] := volume if {
	some v, volume in input.object.volumes
	pointer := concat("/", ["/volumes", format_int(v, 10)])
}

# METADATA
# scope: document
# description: |
#   Each volume that a container has: where that is said, the container, the volume's name, where the container finds
#   it, and whether it can only read. A container that takes the volumes of another has them by its volumesFrom.
mounts contains _mount(concat("/", [place, "mountPoints", format_int(m, 10)]), place, point, point) if {
	some place, container in _containers
	some m, point in array.slice(container.mountPoints, 0, _most_mounts)
}

mounts contains _mount(concat("/", [place, "volumesFrom", format_int(v, 10)]), place, point, from) if {
	some place, container in _containers
	some v, from in array.slice(container.volumesFrom, 0, _most_sources)
	source := containers.named[from.sourceContainer]
	some point in array.slice(_containers[source].mountPoints, 0, _most_taken)
}

# METADATA
# scope: document
# description: The containers that have a volume, by its name.
mounting[volume] contains mount.container if {
	some mount in mounts
	volume := mount.volume
}

# METADATA
# scope: document
# description: The containers that may write to a volume, by its name.
writing[volume] contains mount.container if {
	some mount in mounts
	not mount.readOnly
	volume := mount.volume
}

_mount(at, place, point, from) := {
	"at": at,
	"container": place,
	"volume": point.sourceVolume,
	"path": object.get(point, "containerPath", ""),
	"readOnly": true in {object.get(point, "readOnly", false), object.get(from, "readOnly", false)},
}

# ECS takes ten containers. What it refuses anyway, and more mounts than a container has a use for, are not looked at:
# each has to be compared with each, and an engine's memory is bounded.
_containers := containers.defined if count(containers.defined) <= 20

_most_mounts := 100

_most_sources := 10

_most_taken := 20
