# METADATA
# title: No task mounts a place where the host keeps secrets
# description: |
#   A volume with a host.sourcePath shows a container what lies there on the container instance. policies/config/paths
#   names the places where hosts keep credentials and keys. Three kinds of paths are warnings in baseline, since agents
#   for monitoring have a use for them: sockets of the container runtime, places that hold secrets among other things,
#   and paths that cannot be read.
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
#         Write the path plainly: from the root, in letters, digits and . _ - /, without two dots in a row. A path of
#         Windows cannot be judged; make sure that no credentials lie there.
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

_kinds[volume.host.sourcePath] := _kind(_plain(lower(volume.host.sourcePath))) if some volume in input.object.volumes

_kind(path) := {} if {
	_is_secret(path)
} else := {"variant": "unjudged"} if {
	_is_unreadable(path)
} else := {"variant": "socket"} if {
	path in _sockets
} else := {"variant": "host"} if {
	_holds_secrets(path)
}

_is_secret(path) if {
	some name in _names
	contains(path, name)
}

_is_secret(path) if {
	some place in _secret
	startswith(path, place)
}

# An alias stands for a path with other characters, and what two dots lead to depends on links.
_is_unreadable(path) if startswith(path, "<redacted")

_is_unreadable(path) if contains(path, "/../")

_holds_secrets(path) if {
	some place in _shared
	startswith(path, place)
}

_holds_secrets(path) if {
	some place in ((_secret | _sockets) | _shared)
	startswith(place, path)
}

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

_secret contains concat("", [place, "/"]) if some place in data.config.paths.secret

_sockets contains concat("", [place, "/"]) if some place in data.config.paths.sockets

_shared contains concat("", [place, "/"]) if some place in data.config.paths.shared
