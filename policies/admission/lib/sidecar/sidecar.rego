# METADATA
# title: The sidecar that writes secrets to a volume
# description: |
#   Recognises the pattern in which one container fetches a secret and writes it to a volume that another mounts. An
#   image of data.config.sidecar is proof. A container with a secret of its own is taken for such a writer where its
#   name, the volume or the place of a mount say so; without one, where its name and the volume do: as proof where a
#   reader waits until it has finished, or can only read a volume that is named after secrets, else as likely. One that
#   only has the shape of it (it has a secret, writes to a shared volume, and another waits for it to finish) is likely,
#   too: it may as well fetch code with a token. An application with secrets that shares a volume for logs, sockets or
#   files is neither.
package admission.lib.sidecar

import data.admission.lib.containers
import data.admission.lib.volumes

# METADATA
# scope: document
# description: The containers that run an image which is known to write a secret to a volume and to exit.
injectors contains place if {
	some place, container in containers.defined
	runs(container, data.config.sidecar.images)
}

# METADATA
# description: True where the container's image is one of the names, whatever its registry, tag or digest.
runs(container, names) if {
	path := split(split(container.image, "@")[0], "/")
	split(path[count(path) - 1], ":")[0] in names
}

# METADATA
# scope: document
# description: Who writes secrets to a volume, by the volume's name. Better evidence leaves weaker evidence out.
writers[volume] := places if some volume, places in _injecting

writers[volume] := places if {
	some volume, places in _confirmed
	not _injecting[volume]
}

# METADATA
# scope: document
# description: Who probably does, where there is no better evidence for the volume, by names or by the shape alone.
likely[volume] := places if some volume, places in _unconfirmed

likely[volume] := places if {
	some volume, places in _finishing
	not writers[volume]
	not _unconfirmed[volume]
}

# METADATA
# scope: document
# description: Who writes secrets for whom, and to which volume.
pairs contains pair if {
	some volume, places in writers
	some pair in _pairs(volume, places)
}

# METADATA
# scope: document
# description: Who probably does.
likely_pairs contains pair if {
	some volume, places in likely
	some pair in _pairs(volume, places)
}

# METADATA
# scope: document
# description: Those of them where names say so, and nobody waits until the writer has finished.
unawaited_pairs contains pair if {
	some volume, places in _unconfirmed
	some pair in _pairs(volume, places)
}

# METADATA
# scope: document
# description: The pointers of the volumes that hold secrets. One to which an injector writes does, whoever reads it.
secret_volumes contains pointer if {
	some pointer, volume in volumes.at
	volume.name in _secret_names
}

# METADATA
# scope: document
# description: The pointers of the volumes that probably do.
likely_volumes contains pointer if {
	some pointer, volume in volumes.at
	volume.name in _likely_names
	not volume.name in _secret_names
}

_secret_names contains name if {
	some volume in (_paired(pairs) | object.keys(_injecting))
	some name in _twins(volume)
}

_likely_names contains name if {
	some volume in _paired(likely_pairs)
	some name in _twins(volume)
}

_paired(found) := {pair.volume | some pair in found}

# The reader may have the same place under another name. A container that has finished, or is healthy, when the writer
# starts reads nothing of it: it may prepare the volume.
_pairs(volume, places) := {{"writer": writer, "reader": reader, "volume": name} |
	some writer in places
	some name in _twins(volume)
	some reader in volumes.mounting[name]
	not reader in places
	not reader in _before[writer]
}

_twins(volume) := object.get(volumes.twins, volume, set()) | {volume}

_before[writer] := containers.ready_before(writer) if {
	some found in [writers, likely]
	some places in found
	some writer in places
}

# Names alone are proof where somebody waits until the container has finished, or can only read a volume that is named
# after secrets. One that renews a token, or fetches certificates, may stay, and its reader may look again.
_confirmed[volume] := places if {
	some volume, places in _evident
	_is_confirmed(volume, places)
}

_unconfirmed[volume] := places if {
	some volume, places in _evident
	not _injecting[volume]
	not _is_confirmed(volume, places)
}

_is_confirmed(volume, places) if count(places & object.get(_finishing, volume, set())) > 0

_is_confirmed(volume, places) if {
	volume in _named_after_strict_secrets
	count(volumes.reading[volume] - places) > 0
	some place in places
	count(_words(_name(place)) & _renewing_words) == 0
}

_evident[volume] := places if some volume, places in _named

_evident[volume] := places if some volume, places in _marked

_injecting[volume] contains place if {
	some volume, places in volumes.writing
	some place in (places & injectors)
}

# Named as one that provides secrets, or finished before another starts and something is named after secrets.
_named[volume] contains place if {
	some volume, places in _candidates
	some place in places
	_is_provider(volume, place)
}

_named[volume] contains place if {
	some volume, places in _finishing
	some place in places
	_is_about_secrets(volume, place)
}

# Helps another and has a volume named after secrets, which nobody else seems to fill: none of _named does.
_marked[volume] contains place if {
	some volume, places in _candidates
	volume in _named_after_secrets
	some place in places
	not containers.essential(place)
	not _is_filled(volume, place)
}

_finishing[volume] contains place if {
	some volume, places in _candidates
	some reader in volumes.mounting[volume]
	some place in (places & _finished_before[reader])
}

# Containers with a secret of their own that may write to a volume, neither of them named after something else.
_candidates[volume] contains place if {
	some volume, places in volumes.writing
	not _is_ordinary(volume)
	some place in (places & _referencing)
	not _is_ordinary(_name(place))
	not _is_supplied(volume, place)
}

# Containers that get their secret from elsewhere, and that are named after secrets and after what they do, or finish
# before another starts. Certificates are no secrets where nothing is referenced.
_candidates[volume] contains place if {
	some volume in _named_after_secrets
	not _is_ordinary(volume)
	some place in (volumes.writing[volume] & _secretive)
	count(_words(_name(place)) & _secret_words) > 0
	_is_serving(place)
	not _is_supplied(volume, place)
}

_is_serving(place) if _is_helper(place)

_is_serving(place) if {
	some finished in _finished_before
	place in finished
}

_is_helper(place) if count(_words(_name(place)) & _helpers) > 0

# An entry of `secrets`, or a reference that the container resolves itself.
_referencing contains concat("/", array.slice(split(reference.pointer, "/"), 0, 3)) if {
	some reference in input.references
	reference.field in {"secrets", "application"}
}

# An essential one without a health check is an application, unless the volume says otherwise, too.
_is_provider(_, place) if {
	place in _secretive
	not containers.essential(place)
}

_is_provider(_, place) if {
	place in _secretive
	_is_helper(place)
	containers.defined[place].healthCheck
}

_is_provider(volume, place) if {
	place in _secretive
	_is_helper(place)
	volume in _named_after_secrets
}

_is_about_secrets(volume, _) if volume in _named_after_secrets

_is_about_secrets(_, place) if place in _secretive

_secretive contains place if {
	some place, container in containers.defined
	_is_secretive(container.name)
}

_named_after_secrets contains mount.volume if {
	some mount in volumes.mounts
	some text in [mount.volume, mount.path]
	_is_secretive(text)
}

_named_after_strict_secrets contains mount.volume if {
	some mount in volumes.mounts
	some text in [mount.volume, mount.path]
	_is_secretive(text)
	count(_words(text) & _secret_words) > 0
}

# Waits until another has written to the volume, and so is one that reads it.
_is_supplied(volume, place) if {
	some other in _ready_before[place]
	other in volumes.writing[volume]
}

# Another writes to the volume that is named after secrets, or that somebody waits for.
_is_filled(volume, place) if {
	some other in _filling[volume]
	other != place
}

_filling[volume] contains place if {
	some volume, places in volumes.writing
	some place in (places & _secretive)
}

_filling[volume] contains place if {
	some volume, readers in volumes.mounting
	some reader in readers
	some place in _ready_before[reader]
	place in volumes.writing[volume]
}

# The containers that have finished, or are at least ready, when another starts.
_finished_before[place] contains other if {
	some place, others in containers.waits
	some other, waits in others
	some wait in waits
	wait.condition in {"COMPLETE", "SUCCESS"}
}

_ready_before[place] contains other if {
	some place, others in containers.waits
	some other, waits in others
	some wait in waits
	wait.condition != "START"
}

_is_secretive(text) if {
	count(_words(text) & (_secret_words | _certificate_words)) > 0
	not _is_ordinary(text)
	not _is_store(text)
}

# What a product that keeps secrets stores them in, which it reads and writes itself.
_is_store(text) if {
	words := _words(text)
	count(words & _store_words) > 0
	count(words & _product_words) > 0
	count(words & ((_secret_words | _certificate_words) - _product_words)) == 0
}

_is_ordinary(text) if count(_words(text) & _ordinary_words) > 0

_name(place) := object.get(containers.defined[place], "name", "")

# The words of a name, split at capitals and at everything that is no letter.
_words(text) := {lower(match[0]) | some match in regex.find_all_string_submatch_n(`[A-Z]*[a-z]+|[A-Z]+`, text, -1)}

_secret_words := {word | some word in data.config.sidecar.words}

_certificate_words := {word | some word in data.config.sidecar.certificates}

_ordinary_words := {word | some word in data.config.sidecar.ordinary}

_renewing_words := {word | some word in data.config.sidecar.renewing}

_product_words := {word | some word in data.config.sidecar.products}

_store_words := {word | some word in data.config.sidecar.stores}

_helpers := {word | some word in data.config.sidecar.helpers}
