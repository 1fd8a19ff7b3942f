"""Writes `protobuf.json` beside itself from Kubernetes' Go types (modules k8s.io/api and k8s.io/apimachinery).

    python -m argocd_agent.backends.embedded.schemas.generate_protobuf FOLDER-OF-API FOLDER-OF-APIMACHINERY

The tags of the Go types say which protobuf field is which JSON field; nothing else does. The result is data:
`{"core/v1.Pod": {"2": ["spec", "core/v1.PodSpec", "value"]}}`, see `face/protobuf.py` for how it is read.
"""

import re
import sys
from pathlib import Path

import msgspec

PACKAGES = {
    "core/v1": ("api", "core/v1"),
    "apps/v1": ("api", "apps/v1"),
    "batch/v1": ("api", "batch/v1"),
    "networking/v1": ("api", "networking/v1"),
    "rbac/v1": ("api", "rbac/v1"),
    "coordination/v1": ("api", "coordination/v1"),
    "meta/v1": ("apimachinery", "pkg/apis/meta/v1"),
}
ALIASES = {"metav1": "meta/v1", "v1": "core/v1", "corev1": "core/v1"}
ROOTS = (
    *("core/v1.Namespace", "core/v1.Secret", "core/v1.ConfigMap", "core/v1.Event", "core/v1.Service"),
    *("core/v1.ServiceAccount", "core/v1.Pod", "core/v1.PersistentVolumeClaim"),
    *("apps/v1.Deployment", "apps/v1.ReplicaSet", "apps/v1.StatefulSet", "apps/v1.DaemonSet"),
    *("batch/v1.Job", "batch/v1.CronJob", "networking/v1.Ingress", "networking/v1.NetworkPolicy"),
    *("rbac/v1.Role", "rbac/v1.RoleBinding", "rbac/v1.ClusterRole", "rbac/v1.ClusterRoleBinding"),
    *("coordination/v1.Lease", "meta/v1.DeleteOptions"),
)
SPECIAL = {
    "meta/v1.Time": "time",
    "meta/v1.MicroTime": "time",
    "resource.Quantity": "quantity",
    "intstr.IntOrString": "int-or-string",
    "runtime.RawExtension": "raw",
    "meta/v1.FieldsV1": "raw",
    "types.UID": "string",
}
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_OTHER = re.compile(r"^type (\w+) (?:= )?([\w.*\[\]]+)$", re.MULTILINE)
_FIELD = re.compile(r"^\s*(?:\w+\s+)?([\w.*\[\]]+)\s+`([^`]*)`", re.MULTILINE)

Row = tuple[str, str, str]


class Types:
    """What the Go files declare."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self.structs: dict[str, str] = {}
        self.others: dict[str, str] = {}
        for package, (module, path) in PACKAGES.items():
            for file in sorted((folders[module] / path).glob("*.go")):
                source = file.read_text()
                self.structs |= {f"{package}.{name}": body for name, body in _STRUCT.findall(source)}
                self.others |= {f"{package}.{name}": kind for name, kind in _OTHER.findall(source)}

    def fields(self, struct: str) -> dict[str, Row]:
        """Rows of one struct by protobuf field number."""
        package = struct.partition(".")[0]
        rows: dict[str, Row] = {}
        for kind, tags in _FIELD.findall(self.structs[struct]):
            json_tag = re.search(r'json:"([^"]*)"', tags)
            wire_tag = re.search(r'protobuf:"\w+,(\d+),', tags)
            if json_tag is not None and wire_tag is not None:
                name, _, flags = json_tag[1].partition(",")
                rows[wire_tag[1]] = self._row(package, name, kind, flags)
        return rows

    def _row(self, package: str, name: str, kind: str, flags: str) -> Row:
        """JSON name, type, and how the type is used."""
        is_pointer = kind.startswith("*")
        resolved = self._resolve(package, kind.lstrip("*"))
        if "inline" in flags:
            return name, resolved, "inline"
        if resolved.startswith("[]") and resolved != "[]byte":
            return name, self._resolve(package, resolved[2:].lstrip("*")), "list"
        if resolved.startswith("map["):
            value = resolved.partition("]")[2]
            return name, self._resolve(package, value), "map"
        return name, resolved, "pointer" if is_pointer else "value"

    def _resolve(self, package: str, kind: str) -> str:
        """*kind* with its package, and with names of plain types replaced by these."""
        if kind.startswith(("[]", "map[")):
            head, bracket, rest = kind.partition("]")
            return f"{head}{bracket}{self._resolve(package, rest.lstrip('*'))}" if rest != "byte" else kind
        prefix, dot, _ = kind.partition(".")
        named = f"{ALIASES.get(prefix, prefix)}{kind[len(prefix) :]}" if dot else f"{package}.{kind}"
        if named in SPECIAL:
            return SPECIAL[named]
        if named in self.others:
            return self._resolve(named.partition(".")[0], self.others[named])
        return named if named in self.structs else kind


def main(api: str, apimachinery: str) -> None:
    """Read both modules and write `protobuf.json`."""
    types = Types({"api": Path(api), "apimachinery": Path(apimachinery)})
    found: dict[str, dict[str, Row]] = {}
    pending = list(ROOTS)
    while pending:
        struct = pending.pop()
        if struct not in found:
            found[struct] = types.fields(struct)
            pending += [kind for _, kind, _ in found[struct].values() if kind in types.structs]
    encoder = msgspec.json.Encoder(order="sorted")
    ordered = sorted(found.items())
    lines = b",\n".join(b"%b: %b" % (encoder.encode(name), encoder.encode(rows)) for name, rows in ordered)
    Path(__file__).with_name("protobuf.json").write_bytes(b"{\n%b\n}\n" % lines)


if __name__ == "__main__":
    main(*sys.argv[1:])
