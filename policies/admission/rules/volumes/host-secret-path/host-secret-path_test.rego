package admission.rules.volumes["host-secret-path_test"]

import data.admission.rules.volumes["host-secret-path"] as rule

request(path) := {"object": {"volumes": [{"name": "a"}, {"name": "b", "host": {"sourcePath": path}}]}}

variant(name) := {{"at": "/volumes/1/host/sourcePath", "variant": name}}

test_a_place_of_credentials_is_a_finding[path] if {
	some path in [
		"/etc/ecs",
		"/etc/ecs/",
		"/etc/ecs/ecs.config",
		"//etc/ecs",
		"/etc/./ecs",
		"/etc/ecs/.",
		"/etc/shadow",
		"/root/.aws",
		"/home/ec2-user/.ssh/id_rsa",
		"/opt/app/secrets",
		"/opt/app/Secrets/db",
		"/var/run/secrets/db",
		"/srv/../root/.aws",
		"/etc/ssh/ssh_host_ed25519_key",
		"/var/lib/ecs/data",
		"/var/lib/amazon/ssm/Vault",
		"/etc/krb5.keytab",
		"/proc/1/root/etc/ecs",
		"/proc/1/root/proc/self/root/etc/ecs/ecs.config",
	]
	rule.findings == {{"at": "/volumes/1/host/sourcePath"}} with input as request(path)
}

test_the_socket_of_the_runtime_is_told_apart[path] if {
	some path in ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock"]
	rule.findings == variant("socket") with input as request(path)
}

test_a_place_that_holds_secrets_too_is_told_apart[path] if {
	some path in [
		"/",
		"/etc",
		"/etc/letsencrypt",
		"/etc/ssh",
		"/home",
		"/home/ec2-user",
		"/proc",
		"/proc/1/root",
		"/root",
		"/run",
		"/var",
		"/var/lib/docker/containers",
		"/var/lib/ecs",
		"/var/run/",
		"/var/run/docker",
	]
	rule.findings == variant("host") with input as request(path)
}

test_a_path_that_cannot_be_read_is_told_apart[path] if {
	some path in ["<redacted-1>", "<redacted-12>"]
	rule.findings == variant("unjudged") with input as request(path)
}

test_one_of_windows_is_not_judged if {
	windows := {"object": {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}}
	rule.findings == variant("windows") with input as object.union(request("<redacted-1>"), windows)
	rule.findings == {{"at": "/volumes/1/host/sourcePath"}} with input as object.union(request("/etc/ecs"), windows)
	linux := {"object": {"runtimePlatform": {"operatingSystemFamily": "LINUX"}}}
	rule.findings == variant("unjudged") with input as object.union(request("<redacted-1>"), linux)
}

test_two_dots_are_told_apart[path] if {
	some path in ["/srv/../etc/shadows", "/..", "/srv/data/..", "/var/../etc/ecs/../ecs", "/etc/ecs-data/.."]
	rule.findings == variant("dots") with input as request(path)
}

test_a_name_that_applications_use_too_is_told_apart[path] if {
	some path in ["/mnt/data/credentials", "/srv/creds/db", "/opt/credential"]
	rule.findings == variant("named") with input as request(path)
}

test_a_device_of_docker_is_told_apart[configuration] if {
	some configuration in [
		{"driver": "local", "driverOpts": {"type": "<redacted>", "device": "<redacted>"}},
		{"driver": "", "driverOpts": {"device": "<redacted>"}},
		{"driverOpts": {"device": "<redacted>"}},
	]
	asked := [{"name": "a"}, {"name": "b", "dockerVolumeConfiguration": configuration}]
	rule.findings == {{
		"at": "/volumes/1/dockerVolumeConfiguration/driverOpts",
		"variant": "device",
	}} with input.object.volumes as asked
}

test_another_volume_of_docker_is_none[configuration] if {
	some configuration in [
		{},
		{"driver": "local", "driverOpts": {}},
		{"driver": "rexray/ebs", "driverOpts": {"device": "<redacted>"}},
		{"driver": "local", "driverOpts": {"type": "tmpfs", "device": "<redacted>"}},
	]
	rule.findings == set() with input.object.volumes as [{"name": "b", "dockerVolumeConfiguration": configuration}]
}

test_another_place_is_none[path] if {
	some path in [
		"/srv/data",
		"/var/log/app",
		"/etc/ecs-data",
		"/etc/ssh/sshd_config",
		"/homes/app",
		"/root/app",
		"/root/root/app",
		"/srv/..data",
		"/var/lib/ecs/gpu",
		"/process",
		"/opt/secretary",
		"/home/ec2-user/app",
		"/sys/fs/cgroup",
		"/etc/localtime",
		"/var/lib/dockerfiles",
	]
	rule.findings == set() with input as request(path)
}

test_a_volume_without_a_path_is_none if {
	rule.findings == set() with input.object.volumes as [{"name": "a"}, {"name": "secrets", "host": {}}]
	rule.findings == set() with input as request("")
}
