package admission.lib.sidecar_test

import data.admission.lib.sidecar

injector := {"image": "public.ecr.aws/aws-containers/aws-secrets-manager-secret-sidecar:v0.1.4"}

helper := {"essential": false}

# By any evidence.
suspected := object.union(sidecar.writers, sidecar.likely)

# A request with containers, each [its name, the volumes it can write to, what else it says], of which those with these
# numbers have a secret of their own.
request(items, secretive) := {
	"object": {"containerDefinitions": [object.union({"name": name, "mountPoints": points(volumes)}, more) |
		some [name, volumes, more] in items
	]},
	"references": [{"field": "secrets", "pointer": concat("/", [place(number), "secrets/0/valueFrom"])} |
		some number in secretive
	],
}

points(volumes) := [{"sourceVolume": volume, "containerPath": "/mnt"} | some volume in volumes]

waits(name, condition) := {"dependsOn": [{"containerName": name, "condition": condition}]}

helping(name, condition) := object.union(helper, waits(name, condition))

reading(volume) := {"mountPoints": [{"sourceVolume": volume, "readOnly": true}]}

place(number) := concat("/", ["/containerDefinitions", format_int(number, 10)])

# The container that writes to a volume, by its number, and the one that reads what is there.
pair(writer, volume, reader) := {"writer": place(writer), "volume": volume, "reader": place(reader)}

test_the_image_of_the_injector_is_known_wherever_it_lies[image] if {
	some image in [
		injector.image,
		"docker.io/amazon/aws-secrets-manager-secret-sidecar:v0.1.1",
		"index.docker.io/amazon/aws-secrets-manager-secret-sidecar",
		"amazon/aws-secrets-manager-secret-sidecar@sha256:0123456789abcdef",
		"registry.example.com:5000/mirror/aws-secrets-manager-secret-sidecar:v0.1.4@sha256:0123456789abcdef",
		"aws-secrets-manager-secret-sidecar",
	]
	definitions := [{"name": "app", "image": "app:1"}, {"name": "a", "image": image}]
	sidecar.injectors == {place(1)} with input.object.containerDefinitions as definitions
}

test_another_image_is_no_injector[image] if {
	some image in [
		"aws-secrets-manager-secret-sidecar/app:1",
		"my-aws-secrets-manager-secret-sidecar:1",
		"app:aws-secrets-manager-secret-sidecar",
		"<redacted-1>",
	]
	sidecar.injectors == set() with input.object.containerDefinitions as [{"name": "a", "image": image}]
}

test_an_injector_writes_for_whoever_mounts_its_volume_whatever_its_name if {
	items := [["app", ["logs"], {}], ["a", ["logs"], injector], ["other", [], reading("logs")]]
	sidecar.pairs == {pair(1, "logs", 0), pair(1, "logs", 2)} with input as request(items, [])
}

test_an_injector_that_cannot_write_writes_nothing if {
	items := [["app", ["v"], {}], ["a", [], object.union(injector, reading("v"))]]
	suspected == {} with input as request(items, [])
}

test_an_injector_with_a_volume_of_its_own_writes_for_nobody if {
	items := [["app", ["w"], {}], ["a", ["v"], injector]]
	sidecar.pairs == set() with input as request(items, [])
}

test_two_injectors_write_for_the_application_and_not_for_each_other if {
	items := [["app", ["v"], {}], ["a", ["v"], injector], ["b", ["v"], injector]]
	sidecar.pairs == {pair(1, "v", 0), pair(2, "v", 0)} with input as request(items, [])
}

test_beside_an_injector_nobody_is_taken_for_a_writer if {
	items := [["app", ["secrets"], {}], ["a", ["secrets"], injector], ["get-secrets", ["secrets"], helper]]
	sidecar.pairs == {pair(1, "secrets", 0), pair(1, "secrets", 2)} with input as request(items, [2])
	only := [["app", ["secrets"], {}], ["a", ["secrets"], injector], ["b", ["secrets"], helper]]
	sidecar.pairs == {pair(1, "secrets", 0), pair(1, "secrets", 2)} with input as request(only, [2])
}

test_volumes_taken_from_a_writer_are_shared_with_it if {
	items := [["app", [], {"volumesFrom": [{"sourceContainer": "a"}]}], ["a", ["v"], injector]]
	sidecar.pairs == {pair(1, "v", 0)} with input as request(items, [])
}

test_a_name_says_that_a_container_provides_secrets[name] if {
	some name in ["secrets-init", "fetchSecrets", "vault-agent", "sync_credentials", "token.loader", "SECRETS-SIDECAR"]
	items := [["app", ["v"], {}], [name, ["v"], helper]]
	sidecar.unawaited_pairs == {pair(1, "v", 0)} with input as request(items, [1])
}

test_a_helper_needs_no_more_than_the_word[name] if {
	some name in ["secrets", "vault", "credentials-provider"]
	items := [["app", ["v"], {}], [name, ["v"], helper]]
	sidecar.unawaited_pairs == {pair(1, "v", 0)} with input as request(items, [1])
}

test_an_application_that_is_about_secrets_provides_none[name] if {
	some name in ["token-service", "vault", "password-reset", "credentials-api", "secrets"]
	items := [[name, ["data"], {}], ["web", ["data"], {}]]
	suspected == {} with input as request(items, [0])
}

test_one_without_a_secret_of_its_own_is_not_taken_for_a_writer if {
	items := [["app", ["v"], {}], ["secrets-init", ["v"], helper]]
	suspected == {} with input as request(items, [0])
}

test_it_is_where_its_name_and_its_volume_are_about_secrets[name][volume] if {
	some name in ["secrets-sidecar", "traefik-vault-agent", "secret-fetcher"]
	some volume in ["secrets", "vault-token", "tls-certs"]
	items := [["app", [volume], {}], [name, [volume], {}]]
	sidecar.unawaited_pairs == {pair(1, volume, 0)} with input as request(items, [])
}

test_it_is_where_both_are_and_another_waits_until_it_has_finished[condition] if {
	some condition in ["COMPLETE", "SUCCESS"]
	items := [["app", ["secret"], waits("secrets", condition)], ["secrets", ["secret"], helper]]
	sidecar.pairs == {pair(1, "secret", 0)} with input as request(items, [])
}

test_it_is_whoever_waits if {
	items := [["app", ["secret"], {}], ["secrets", ["secret"], helper], ["web", [], waits("secrets", "SUCCESS")]]
	sidecar.unawaited_pairs == {pair(1, "secret", 0)} with input as request(items, [])
}

test_one_that_only_shares_such_a_volume_is_not[name] if {
	some name in ["vault-ui", "secrets", "token-service", "helper-init"]
	items := [
		["vault-server", ["vault-config"], {}],
		[name, ["vault-config"], helper],
		["web", [], waits("setup", "SUCCESS")],
		["setup", [], helper],
	]
	suspected == {} with input as request(items, [])
}

test_one_that_fetches_certificates_is_not if {
	items := [["app", ["certs"], waits("certs-init", "SUCCESS")], ["certs-init", ["certs"], helper]]
	suspected == {} with input as request(items, [])
	sidecar.pairs == {pair(1, "certs", 0)} with input as request(items, [1])
}

test_one_for_a_volume_for_something_else_is_not if {
	items := [["app", ["vault-logs"], {}], ["vault-agent", ["vault-logs"], {"mountPoints": [{
		"sourceVolume": "vault-logs",
		"containerPath": "/secrets",
	}]}]]
	suspected == {} with input as request(items, [])
}

test_one_without_a_secret_of_its_own_that_is_supplied_is_not if {
	items := [
		["app", ["secrets"], {}],
		["setup", ["secrets"], helper],
		["secrets-sync", ["secrets"], helping("setup", "SUCCESS")],
	]
	suspected == {} with input as request(items, [])
}

test_one_that_cannot_write_is_not if {
	items := [["app", ["v"], {}], ["secrets-init", [], reading("v")]]
	suspected == {} with input as request(items, [1])
}

test_a_reference_that_a_container_resolves_itself_is_a_secret_of_its_own if {
	items := [["app", ["v"], {}], ["secrets-init", ["v"], helper]]
	reference := {"field": "application", "pointer": "/containerDefinitions/1/environment/0/value"}
	asked := object.union(request(items, []), {"references": [reference]})
	sidecar.unawaited_pairs == {pair(1, "v", 0)} with input as asked
}

test_another_reference_is_none[field] if {
	some field in ["secretOptions", "repositoryCredentials", "environmentFiles"]
	items := [["app", ["v"], {}], ["secrets-init", ["v"], helper]]
	reference := {"field": field, "pointer": "/containerDefinitions/1/a/0"}
	asked := object.union(request(items, []), {"references": [reference]})
	suspected == {} with input as asked
}

test_a_helper_with_a_volume_named_after_secrets_is_a_writer[volume] if {
	some volume in ["secrets", "secret-vol", "app_credentials", "tlsCerts"]
	items := [["app", [volume], {}], ["helper", [volume], helper]]
	sidecar.unawaited_pairs == {pair(1, volume, 0)} with input as request(items, [1])
}

test_a_mount_path_says_as_much if {
	there := {"mountPoints": [{"sourceVolume": "v", "containerPath": "/run/secrets"}]}
	written := [["app", ["v"], {}], ["helper", [], object.union(helper, there)]]
	sidecar.unawaited_pairs == {pair(1, "v", 0)} with input as request(written, [1])
	read := [["app", [], there], ["helper", ["v"], helper]]
	sidecar.unawaited_pairs == {pair(1, "v", 0)} with input as request(read, [1])
}

test_an_essential_container_with_such_a_volume_reads_it if {
	items := [["app", ["secrets"], {}], ["worker", ["secrets"], {}]]
	suspected == {} with input as request(items, [0, 1])
	suspected == {} with input as request(items, [1])
}

test_a_helper_that_waits_for_another_to_fill_the_volume_reads_it[condition] if {
	some condition in ["COMPLETE", "SUCCESS", "HEALTHY"]
	items := [
		["app", ["secrets"], {}],
		["fetch", ["secrets"], helper],
		["worker", ["secrets"], helping("fetch", condition)],
	]
	suspected == {} with input as request(items, [0, 2])
}

test_one_that_is_named_after_secrets_reads_them_where_it_waits_for_them if {
	items := [["app", ["data"], {}], ["fetch", ["data"], helper], ["token-renewer", ["data"], helping("fetch", "SUCCESS")]]
	suspected == {} with input as request(items, [0, 2])
}

test_one_that_another_waits_for_reads_them_where_it_waits_for_them if {
	items := [
		["app", ["secrets"], waits("setup", "SUCCESS")],
		["fetch", ["secrets"], helper],
		["setup", ["secrets"], helping("fetch", "SUCCESS")],
	]
	suspected == {} with input as request(items, [0, 2])
}

test_an_application_that_a_container_without_the_volume_waits_for_does_not_fill_it if {
	items := [["app", ["secrets"], {}], ["web", [], waits("app", "HEALTHY")], ["helper", ["secrets"], helper]]
	sidecar.unawaited_pairs == {pair(2, "secrets", 0)} with input as request(items, [0, 2])
}

test_one_that_waits_for_a_container_without_the_volume_may_fill_it if {
	named := [["app", ["v"], {}], ["proxy", [], {}], ["get-secrets", ["v"], helping("proxy", "HEALTHY")]]
	sidecar.unawaited_pairs == {pair(2, "v", 0)} with input as request(named, [2])
	items := [["app", ["secrets"], waits("proxy", "HEALTHY")], ["proxy", [], {}], ["helper", ["secrets"], helper]]
	sidecar.unawaited_pairs == {pair(2, "secrets", 0)} with input as request(items, [2])
}

test_one_that_waits_for_a_start_may_fill_the_volume if {
	items := [["app", ["secrets"], {}], ["proxy", ["secrets"], {}], ["helper", ["secrets"], helping("proxy", "START")]]
	sidecar.unawaited_pairs == {pair(2, "secrets", 0), pair(2, "secrets", 1)} with input as request(items, [2])
}

test_a_helper_beside_one_that_is_named_after_secrets_reads_them if {
	items := [["app", ["secrets"], {}], ["vault", ["secrets"], {}], ["worker", ["secrets"], helper]]
	suspected == {} with input as request(items, [2])
}

test_a_helper_beside_one_that_the_application_waits_for_reads_them if {
	items := [["app", ["secrets"], waits("fetch", "HEALTHY")], ["fetch", ["secrets"], {}], ["worker", ["secrets"], helper]]
	suspected == {} with input as request(items, [0, 2])
}

test_a_helper_that_is_waited_for_itself_is_a_writer if {
	items := [["app", ["secrets"], waits("helper", "HEALTHY")], ["helper", ["secrets"], helper]]
	sidecar.unawaited_pairs == {pair(1, "secrets", 0)} with input as request(items, [0, 1])
}

test_one_that_is_named_after_secrets_goes_before_one_whose_volume_is if {
	items := [["app", ["secrets"], {}], ["sync-secrets", ["secrets"], helper], ["worker", ["secrets"], helper]]
	sidecar.unawaited_pairs == {pair(1, "secrets", 0), pair(1, "secrets", 2)} with input as request(items, [1, 2])
}

test_one_that_finishes_goes_before_one_whose_volume_is_named_after_secrets if {
	items := [["app", ["secrets"], {}], ["worker", ["secrets"], helper], ["web", ["secrets"], waits("init", "SUCCESS")], [
		"init",
		["secrets"],
		helper,
	]]
	sidecar.writers == {"secrets": {place(3)}} with input as request(items, [1, 3])
}

test_one_that_finishes_before_another_starts_writes_what_its_volume_is_named_after[condition] if {
	some condition in ["COMPLETE", "SUCCESS"]
	items := [["app", ["secrets"], waits("init", condition)], ["init", ["secrets"], {}]]
	sidecar.pairs == {pair(1, "secrets", 0)} with input as request(items, [1])
}

test_one_that_finishes_and_is_named_after_secrets_is_a_writer if {
	items := [["app", ["v"], waits("password", "SUCCESS")], ["password", ["v"], {}]]
	sidecar.pairs == {pair(1, "v", 0)} with input as request(items, [1])
}

test_one_that_finishes_has_only_the_shape_where_nothing_is_named_after_secrets[condition] if {
	some condition in ["COMPLETE", "SUCCESS"]
	items := [["app", ["data"], waits("init", condition)], ["init", ["data"], {}]]
	sidecar.likely_pairs == {pair(1, "data", 0)} with input as request(items, [1])
	sidecar.writers == {} with input as request(items, [1])
}

test_where_one_is_known_nobody_is_likely if {
	items := [["app", ["data"], waits("init", "SUCCESS")], ["init", ["data"], {}], ["b", ["data"], injector]]
	sidecar.likely_pairs == set() with input as request(items, [1, 2])
}

test_one_that_only_starts_first_has_not_the_shape[condition] if {
	some condition in ["START", "HEALTHY"]
	items := [["app", ["data"], waits("init", condition)], ["init", ["data"], helper]]
	suspected == {} with input as request(items, [1])
	sidecar.likely == {} with input as request(items, [1])
}

test_one_that_a_container_without_the_volume_waits_for_has_not_the_shape if {
	items := [["app", ["data"], {}], ["init", ["data"], {}], ["web", [], waits("init", "SUCCESS")]]
	sidecar.likely == {} with input as request(items, [1])
}

test_who_prepares_the_volume_for_the_writer_reads_nothing if {
	writer := object.union(injector, waits("prepare", "COMPLETE"))
	items := [["app", ["v"], {}], ["a", ["v"], writer], ["prepare", ["v"], helper]]
	sidecar.pairs == {pair(1, "v", 0)} with input as request(items, [])
}

test_a_volume_for_something_else_is_no_place_for_secrets[volume] if {
	some volume in ["logs", "secret-logs", "dd-sockets", "static", "appLogs", "metrics_data"]
	items := [["app", [volume], waits("vault-agent", "SUCCESS")], ["vault-agent", [volume], helper]]
	suspected == {} with input as request(items, [0, 1])
	sidecar.likely == {} with input as request(items, [0, 1])
}

test_a_container_for_something_else_provides_no_secrets[name] if {
	some name in ["log-router", "otel-collector", "datadog-agent", "migrate", "fluent-bit-secrets"]
	items := [["app", ["secrets"], waits(name, "SUCCESS")], [name, ["secrets"], helper]]
	suspected == {} with input as request(items, [0, 1])
	sidecar.likely == {} with input as request(items, [0, 1])
}

test_a_place_for_public_certificates_says_nothing if {
	there := {"mountPoints": [{"sourceVolume": "v", "containerPath": "/etc/ssl/certs"}]}
	items := [["app", ["v"], {}], ["helper", [], object.union(helper, there)]]
	suspected == {} with input as request(items, [1])
}

test_a_container_without_a_name_is_looked_at if {
	definitions := [{"mountPoints": points(["secrets"])}, {"essential": false, "mountPoints": points(["secrets"])}]
	asked := {"object": {"containerDefinitions": definitions}, "references": request([], [1]).references}
	sidecar.unawaited_pairs == {pair(1, "secrets", 0)} with input as asked
}

test_names_that_are_not_shown_are_compared_and_say_nothing if {
	alias := "<redacted-1>"
	named := [["app", [alias], {}], ["get-secrets", [alias], helper]]
	sidecar.unawaited_pairs == {pair(1, alias, 0)} with input as request(named, [1])
	items := [["app", ["v"], {}], [alias, ["v"], helper]]
	suspected == {} with input as request(items, [1])
}

test_the_volumes_with_secrets_are_those_of_writers if {
	items := [["app", ["v", "data", "w"], waits("init", "SUCCESS")], ["a", ["v"], injector], ["init", ["data"], {}]]
	volumes := [{"name": "w"}, {"name": "v"}, {"name": "data"}, {"host": {}}]
	asked := object.union(request(items, [2]), {"object": {"volumes": volumes}})
	sidecar.secret_volumes == {"/volumes/1"} with input as asked
	sidecar.likely_volumes == {"/volumes/2"} with input as asked
}

test_names_are_proof_where_a_reader_waits_until_the_writer_has_finished[condition] if {
	some condition in ["COMPLETE", "SUCCESS"]
	items := [["app", ["v"], waits("secrets-init", condition)], ["secrets-init", ["v"], helper]]
	sidecar.pairs == {pair(1, "v", 0)} with input as request(items, [1])
	sidecar.likely == {} with input as request(items, [1])
}

test_names_are_proof_where_another_can_only_read_a_volume_named_after_secrets if {
	items := [["app", [], reading("secrets")], ["boot", ["secrets"], helper]]
	sidecar.pairs == {pair(1, "secrets", 0)} with input as request(items, [1])
	sidecar.likely == {} with input as request(items, [1])
}

test_names_are_none_where_the_volume_is_not_or_is_for_certificates[volume] if {
	some volume in ["cache", "certs", "tls-certificates"]
	items := [["app", [], reading(volume)], ["secrets-init", [volume], helper]]
	sidecar.unawaited_pairs == {pair(1, volume, 0)} with input as request(items, [1])
	sidecar.writers == {} with input as request(items, [1])
}

test_one_that_renews_a_token_may_be_asked_again[name] if {
	some name in ["token-refresher", "renew-token", "credentials-watcher"]
	items := [["app", [], reading("token")], [name, ["token"], helper]]
	sidecar.unawaited_pairs == {pair(1, "token", 0)} with input as request(items, [1])
	sidecar.writers == {} with input as request(items, [1])
	awaited := [["app", ["token"], waits(name, "SUCCESS")], [name, ["token"], helper]]
	sidecar.pairs == {pair(1, "token", 0)} with input as request(awaited, [1])
}

test_an_essential_one_without_a_health_check_is_an_application_unless_the_volume_says_otherwise if {
	items := [["nginx", [], reading("cache")], ["token-sync-api", ["cache"], {}]]
	suspected == {} with input as request(items, [1])
	checked := [["app", ["cache"], {}], ["token-sync", ["cache"], {"healthCheck": {"command": ["CMD"]}}]]
	sidecar.unawaited_pairs == {pair(1, "cache", 0)} with input as request(checked, [1])
	named := [["app", ["secrets"], {}], ["token-sync", ["secrets"], {}]]
	sidecar.unawaited_pairs == {pair(1, "secrets", 0)} with input as request(named, [1])
}

test_what_a_product_stores_its_secrets_in_is_not_named_after_them[volume] if {
	some volume in ["vault-data", "vault-file", "vaultRaft"]
	items := [["vault", [volume], waits("vault-init", "SUCCESS")], ["vault-init", [volume], helper]]
	suspected == {} with input as request(items, [])
	snapshots := [["vault", [volume], {}], ["vault-snapshot-agent", [volume], helper]]
	suspected == {} with input as request(snapshots, [1])
	files := "vault-secrets-file"
	secrets := [["app", [files], waits("get-secrets", "SUCCESS")], ["get-secrets", [files], helper]]
	sidecar.pairs == {pair(1, files, 0)} with input as request(secrets, [])
}

test_keys_that_applications_share_are_none if {
	items := [["web", ["dataprotection-keys"], {}], ["worker", ["dataprotection-keys"], helper]]
	suspected == {} with input as request(items, [0, 1])
}

test_what_an_injector_writes_to_holds_secrets_whoever_reads_it if {
	asked := object.union(request([["a", ["v"], injector]], []), {"object": {"volumes": [{"name": "w"}, {"name": "v"}]}})
	sidecar.secret_volumes == {"/volumes/1"} with input as asked
}

test_a_reader_may_have_the_same_place_under_another_name if {
	folder := {"host": {"sourcePath": "/srv/shared"}}
	named := [object.union({"name": name}, folder) | some name in ["v", "w"]]
	asked := object.union(request([["app", ["w"], {}], ["a", ["v"], injector]], []), {"object": {"volumes": named}})
	sidecar.pairs == {pair(1, "w", 0)} with input as asked
	sidecar.secret_volumes == {"/volumes/0", "/volumes/1"} with input as asked
	items := [["app", ["w"], waits("init", "SUCCESS")], ["web", ["v"], waits("init", "SUCCESS")], ["init", ["v"], {}]]
	likely := object.union(request(items, [2]), {"object": {"volumes": named}})
	sidecar.likely_volumes == {"/volumes/0", "/volumes/1"} with input as likely
}

test_a_volume_that_surely_holds_secrets_is_not_likely_to if {
	folder := {"host": {"sourcePath": "/srv/shared"}}
	named := [object.union({"name": name}, folder) | some name in ["v", "w"]]
	items := [["app", ["w"], waits("init", "SUCCESS")], ["a", ["v"], injector], ["init", ["w"], {}]]
	asked := object.union(request(items, [2]), {"object": {"volumes": named}})
	sidecar.likely_volumes == set() with input as asked
}

test_one_for_which_the_writer_only_waits_to_start_reads if {
	items := [["app", ["v"], {}], ["a", ["v"], object.union(injector, waits("app", "START"))]]
	sidecar.pairs == {pair(1, "v", 0)} with input as request(items, [])
}
