# METADATA
# title: No task mounts a place where the host keeps secrets
# description: |
#   A volume with a host.sourcePath shows a container what lies there on the container instance. policies/config/paths
#   names the places where hosts keep credentials and keys. Four kinds of paths are warnings in baseline, since agents
#   for monitoring or applications have a use for them: sockets of the container runtime, places that hold secrets among
#   other things, folders with a name such as credentials, and paths that cannot be read. So is a volume of Docker that
#   its own driver mounts from a device, since that may be any folder of the host. A path of Windows is only recorded.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HostVolumeProperties.html
#     description: HostVolumeProperties
# custom:
#   why: >-
#     Credentials of a host belong to everything that runs on it. A container that reads them, or one that is broken
#     into, gets far more than the one secret that it needs, and nobody can tell from its role.
#   severity: high
#   action: deny
#   fix: none
#   controls: ["NIST-800-53:AC-6"]
#   message: a volume is a place of the host that holds credentials or keys
#   remediation: >-
#     Remove the volume. Keep what the container needs in AWS Secrets Manager or as an SSM SecureString parameter and
#     reference it under secrets, or give the task a task role in the place of AWS credentials of the host.
#   variants:
#     socket:
#       action: warn
#       message: >-
#         a volume is the socket of the host's container runtime, by which every other task can be read and controlled
#       remediation: >-
#         Remove the volume. An agent that needs to know the containers of its task can ask the task metadata endpoint.
#         Where it must see those of the whole host, run it as a service of its own, with nothing else in its task.
#     host:
#       action: warn
#       message: a volume is a part of the host in which secrets of other tasks lie
#       remediation: >-
#         Mount the one folder or file that the container reads. Where an agent must see all of it, mount it with
#         readOnly true and run the agent as a service of its own.
#     unjudged:
#       action: warn
#       message: a volume is a path of the host that cannot be read here, so it cannot be told what lies there
#       remediation: >-
#         Write the path plainly: from the root, in letters, digits and . _ - /.
#     windows:
#       action: dryrun
#       message: a volume is a path of a Windows host, which is not judged
#       remediation: Make sure that no credentials lie there.
#     dots:
#       message: a volume is a path of the host with two dots, which leads elsewhere than it says
#       remediation: Write the path that is meant, from the root and without two dots in the place of a folder's name.
#     named:
#       action: warn
#       message: a volume is a place of the host with a name for credentials
#       remediation: >-
#         Where credentials lie there, remove the volume, keep them in AWS Secrets Manager or as an SSM SecureString
#         parameter and reference them under secrets. Otherwise give the folder another name.
#     device:
#       action: warn
#       message: >-
#         a volume is mounted from a device by Docker's own driver, which may be any folder of the host or a file system
#         on the network
#       remediation: >-
#         Remove driverOpts from the volume. Where a folder of the host is meant, write it as host.sourcePath, where it
#         is judged; where a file system of EFS is, use efsVolumeConfiguration.
package admission.rules.volumes["host-secret-path"]

import data.admission.lib.volumes

# METADATA
# scope: document
# description: The paths of the host that are, hold or may be secrets.
findings contains object.union({"at": concat("/", [pointer, "host/sourcePath"])}, kind) if {
	some pointer, volume in volumes.at
	volume.host.sourcePath != ""
	kind := _kinds[volume.host.sourcePath]
}

findings contains {"at": concat("/", [pointer, "dockerVolumeConfiguration/driverOpts"]), "variant": "device"} if {
	some pointer in volumes.devices
}

_kinds[path] := _kind(_seen(_plain(lower(path)))) if some path in _paths

_paths contains volume.host.sourcePath if some volume in input.object.volumes

_kind(path) := {} if {
	_is_secret(path)
} else := {"variant": "dots"} if {
	contains(path, "/../")
} else := {"variant": "windows"} if {
	_is_unreadable(path)
	startswith(input.object.runtimePlatform.operatingSystemFamily, "WINDOWS")
} else := {"variant": "unjudged"} if {
	_is_unreadable(path)
} else := {"variant": "socket"} if {
	path in _sockets
} else := {"variant": "host"} if {
	_holds_secrets(path)
} else := {"variant": "named"} if {
	some name in _own
	contains(path, name)
}

_is_secret(path) if {
	some name in _names
	contains(path, name)
}

_is_secret(path) if {
	some place in _secret
	startswith(path, place)
}

_is_secret(path) if {
	some beginning in data.config.paths.beginnings
	startswith(path, beginning)
}

# An alias stands for a path with other characters.
_is_unreadable(path) if startswith(path, "<redacted")

_holds_secrets(path) if {
	some place in _shared
	startswith(path, place)
}

_holds_secrets(path) if {
	some place in ((_secret | _sockets) | _shared)
	startswith(place, path)
}

_holds_secrets(path) if {
	some beginning in data.config.paths.beginnings
	startswith(beginning, path)
}

# All homes, or one of them.
_holds_secrets(path) if {
	some place in data.config.paths.homes
	startswith(path, concat("", [place, "/"]))
	count(split(path, "/")) <= count(split(place, "/")) + 2
}

# What a process has as its root is the root of the host, or that of a container.
_seen(path) := concat("", ["/", array.reverse(split(path, "/root/"))[0]]) if {
	startswith(path, "/proc/")
	contains(path, "/root/")
} else := path

# The path as Docker reads it, with a slash at its end, by which a folder is told from one whose name begins like it.
_plain(path) := slashed if {
	slashed := concat("", [trim_right(path, "/"), "/"])
	not _is_crooked(slashed)
} else := concat("/", array.flatten(["", names, ""])) if {
	names := [name | some name in split(path, "/"); not name in {"", "."}]
}

_is_crooked(path) if contains(path, "//")

_is_crooked(path) if contains(path, "/./")

_names contains concat("", ["/", name, "/"]) if some name in data.config.paths.names

_own contains concat("", ["/", name, "/"]) if some name in data.config.paths.own

_secret contains concat("", [place, "/"]) if some place in data.config.paths.secret

_sockets contains concat("", [place, "/"]) if some place in data.config.paths.sockets

_shared contains concat("", [place, "/"]) if some place in data.config.paths.shared
