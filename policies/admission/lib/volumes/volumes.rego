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

# METADATA
# scope: document
# description: The containers that have a volume and can only read it, by its name.
reading[volume] := places - object.get(writing, volume, set()) if some volume, places in mounting

# METADATA
# scope: document
# description: |
#   The names under which a task has the same folder of the host or the same directory of a file system, by each of
#   them. Most volumes have one.
twins[volume] := union({_names[key] | some key in keys}) if some volume, keys in _keys

_names[key] := names if {
	some key, names in _all_names
	count(names) <= _most_names
}

_all_names[key] contains volume if {
	some volume, keys in _keys
	some key in keys
}

_keys[volume.name] contains _key(volume) if some volume in at

_key(volume) := ["host", trim_right(volume.host.sourcePath, "/")] if {
	volume.host.sourcePath != ""
} else := ["efs", efs.fileSystemId, trim(object.get(efs, "rootDirectory", ""), "/"), _access_point(efs)] if {
	efs := volume.efsVolumeConfiguration
} else := ["name", volume.name]

_access_point(efs) := object.get(efs, ["authorizationConfig", "accessPointId"], "")

# METADATA
# scope: document
# description: |
#   The pointers of the volumes of Docker that its own driver mounts from a place which the options name: a folder or a
#   disk of the host, or a file system on the network. The values of options are not shown, except that of a file
#   system in memory.
devices contains pointer if {
	some pointer, volume in at
	configuration := volume.dockerVolumeConfiguration
	object.get(configuration, "driver", "local") in {"local", ""}
	configuration.driverOpts.device
	not configuration.driverOpts.type == "tmpfs"
}

# METADATA
# scope: document
# description: True where there are more containers, mounts or names of one place than are looked at.
exceeded if {
	count(containers.defined) > _most_containers
	some container in containers.defined
	count(_points(container)) + count(_sources(container)) > 0
}

exceeded if {
	some container in containers.defined
	count(_points(container)) > _most_mounts
}

exceeded if {
	some container in containers.defined
	count(_sources(container)) > _most_sources
}

exceeded if {
	some container in containers.defined
	some from in array.slice(_sources(container), 0, _most_sources)
	count(_points(containers.defined[containers.named[from.sourceContainer]])) > _most_taken
}

exceeded if {
	some names in _all_names
	count(names) > _most_names
}

_points(container) := object.get(container, "mountPoints", [])

_sources(container) := object.get(container, "volumesFrom", [])

_mount(at, place, point, from) := {
	"at": at,
	"container": place,
	"volume": point.sourceVolume,
	"path": object.get(point, "containerPath", ""),
	"readOnly": true in {object.get(point, "readOnly", false), object.get(from, "readOnly", false)},
}

# ECS takes ten containers. What it refuses anyway, and more mounts than a container has a use for, are not looked at,
# and bounds/exceeded denies them: each has to be compared with each, and an engine's memory is bounded.
_containers := containers.defined if count(containers.defined) <= _most_containers

_most_containers := 10

_most_names := 4

_most_mounts := 100

_most_sources := 10

_most_taken := 20
