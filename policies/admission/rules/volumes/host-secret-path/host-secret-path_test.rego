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
	]
	rule.findings == {{"at": "/volumes/1/host/sourcePath"}} with input as request(path)
}

test_the_socket_of_the_runtime_is_told_apart[path] if {
	some path in ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"]
	rule.findings == variant("socket") with input as request(path)
}

test_a_place_that_holds_secrets_too_is_told_apart[path] if {
	some path in ["/", "/etc", "/run", "/var/run/", "/var", "/proc", "/proc/1/root", "/var/lib/docker/containers"]
	rule.findings == variant("host") with input as request(path)
}

test_a_path_that_cannot_be_read_is_told_apart[path] if {
	some path in ["<redacted-1>", "/srv/../etc/shadow", "/.."]
	rule.findings == variant("unjudged") with input as request(path)
}

test_another_place_is_none[path] if {
	some path in [
		"/srv/data",
		"/var/log/app",
		"/etc/ecs-data",
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
