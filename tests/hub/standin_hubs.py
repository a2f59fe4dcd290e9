"""What CivitAI and Hugging Face answer, in their own shapes (developer.civitai.com/site/reference,
huggingface_hub/hf_api.py ``ModelInfo``, huggingface_hub/utils/_http.py ``hf_raise_for_status``)."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from standin import Answer, Asked, Cdn, Content, Server, bearer, said, sha256_of, size_of


@dataclass(frozen=True)
class Added:
    """A version on the stand-in CivitAI: its numbers, file ids and hashes by file name."""

    model_id: int
    version_id: int
    file_ids: Mapping[str, int]
    sha256: Mapping[str, str]

    @property
    def ref(self) -> str:
        return f"civitai:{self.model_id}@{self.version_id}"


@dataclass
class _Model:
    about: dict[str, Any]
    versions: list[dict[str, Any]] = field(default_factory=list)  # newest first


class CivitAI:
    """``tokens`` are the keys that are accepted; ``direct`` serves downloads without sending on to the CDN."""

    def __init__(self, cdn: Cdn) -> None:
        self.models: dict[int, _Model] = {}
        self.tokens: set[str] = {"civitai-key-1234"}
        self.direct = False
        self._files: dict[int, dict[str, tuple[Content, dict[str, Any]]]] = {}
        self._gates: dict[int, str] = {}
        self._ids = itertools.count(1000)
        self._cdn, self.server = cdn, Server(self._answer)
        self.url, self.fault, self.asked, self.heal = self.server.url, self.server.fault, self.server.asked, self.server.heal

    def add(
        self,
        files: Mapping[str, Content],
        *,
        model_id: int | None = None,
        version_id: int | None = None,
        type: str = "LORA",
        name: str = "Ink Drawing",
        model: Mapping[str, Any] | None = None,
        version: Mapping[str, Any] | None = None,
        file: Mapping[str, Mapping[str, Any]] | None = None,
        hashed: bool = True,
        sized: bool = True,
        sha256: Mapping[str, str] | None = None,
        gate: str = "",
    ) -> Added:
        """A version; of an older model where ``model_id`` is known. ``model``, ``version`` and ``file`` (by name)
        override answer fields; ``gate`` is ``login`` (any key opens it), ``early`` or ``region`` (none does)."""
        model_id, version_id = model_id or next(self._ids), version_id or next(self._ids)
        held = self.models.setdefault(model_id, _Model(_model(model_id, type, name)))
        held.about |= model or {}
        hashes = {each: (sha256 or {}).get(each) or sha256_of(content) for each, content in files.items()}
        listed = []
        for index, (each, content) in enumerate(files.items()):
            entry = self._file(version_id, each, content, hashes[each], index == 0)
            entry |= (file or {}).get(each, {})
            entry = {key: value for key, value in entry.items() if (hashed or key != "hashes") and (sized or key != "sizeKB")}
            listed.append(entry)
            self._files.setdefault(version_id, {})[each] = (content, entry)
        told = _version(version_id, f"v{len(held.versions) + 1}.0", listed, f"{self.url}/api/download/models/{version_id}")
        held.versions.insert(0, told | dict(version or {}))
        self._gates[version_id] = gate
        return Added(model_id, version_id, {each["name"]: each["id"] for each in listed}, hashes)

    def _file(self, version_id: int, name: str, content: Content, digest: str, primary: bool) -> dict[str, Any]:
        file_id = next(self._ids)
        return {
            "id": file_id,
            "sizeKB": size_of(content) / 1024,
            "name": name,
            "type": "Model",
            "pickleScanResult": "Success",
            "pickleScanMessage": "No Pickle imports",
            "virusScanResult": "Success",
            "virusScanMessage": None,
            "scannedAt": "2025-06-01T10:00:00.000Z",
            "metadata": {"format": "SafeTensor", "size": "pruned", "fp": "fp16"},
            "hashes": {
                "AutoV1": digest[:8].upper(),
                "AutoV2": digest[:10].upper(),
                "SHA256": digest.upper(),
                "CRC32": digest[8:16].upper(),
                "BLAKE3": digest[::-1].upper(),
                "AutoV3": digest[-12:].upper(),
            },
            "primary": primary,
            "downloadUrl": f"{self.url}/api/download/models/{version_id}" + ("" if primary else f"?fileId={file_id}"),
        }

    def _answer(self, asked: Asked) -> Answer:
        if bearer(asked) and bearer(asked) not in self.tokens:
            return said({"error": "Unauthorized"}, 401)
        routes = (
            (r"/api/v1/models", lambda: self._search(asked)),
            (r"/api/v1/models/(\d+)", self._model),
            (r"/api/v1/model-versions/(\d+)", self._version),
            (r"/api/v1/model-versions/by-hash/(\w+)", self._by_hash),
            (r"/api/download/models/(\d+)", lambda number: self._download(int(number), asked)),
        )
        for pattern, answer in routes:
            if found := re.fullmatch(pattern, asked.path):
                return answer(*found.groups())
        return Answer(404, b"<!DOCTYPE html><html><title>404</title></html>", headers={"Content-Type": "text/html"})

    def _search(self, asked: Asked) -> Answer:
        def one(name: str, otherwise: str = "") -> str:
            return asked.query.get(name, [otherwise])[0]

        if one("query") and "page" in asked.query:
            return said({"error": "Cannot use page param with query search. Use cursor-based pagination."}, 400)
        fitting = [model for model in self.models.values() if _fits(model, asked.query)]
        if one("sort") == "Most Downloaded":
            fitting.sort(key=lambda model: -model.about["stats"]["downloadCount"])
        start, limit = int(one("cursor", "0")), int(one("limit", "100"))
        shown = [{**model.about, "modelVersions": model.versions} for model in fitting[start : start + limit]]
        metadata = {}
        if start + limit < len(fitting):
            cursor = str(start + limit)
            following = {**{key: values[0] for key, values in asked.query.items()}, "cursor": cursor}
            metadata = {"nextCursor": cursor, "nextPage": f"{self.url}/api/v1/models?{urlencode(following)}"}
        return said({"items": shown, "metadata": metadata})

    def _model(self, number: str) -> Answer:
        model = self.models.get(int(number))
        if model is None:
            return said({"error": f"No model with id {number}"}, 404)
        return said({**model.about, "modelVersions": model.versions})

    def _version(self, number: str) -> Answer:
        for model_id, model in self.models.items():
            for version in model.versions:
                if version["id"] == int(number):
                    return said(_alone(model_id, model, version))
        return said({"error": f"No version with id {number}"}, 404)

    def _by_hash(self, digest: str) -> Answer:
        for model_id, model in self.models.items():
            for version in model.versions:
                hashes = [each.get("hashes", {}).values() for each in version["files"]]
                if digest.upper() in itertools.chain.from_iterable(hashes):
                    return said(_alone(model_id, model, version))
        return said({"error": "Model not found"}, 404)

    def _download(self, version_id: int, asked: Asked) -> Answer:
        files = self._files.get(version_id, {})
        chosen = asked.query.get("fileId", [""])[0]
        found = next((each for each in files.items() if not chosen or str(each[1][1]["id"]) == chosen), None)
        if found is None:
            return said({"error": "Model not found"}, 404)
        if refused := _gate(self._gates.get(version_id, ""), bearer(asked)):
            return refused
        name, (content, entry) = found
        disposition = f"attachment; filename*=UTF-8''{quote(name)}"
        if self.direct:
            return Answer(served=content, headers={"Content-Disposition": disposition})
        url = self._cdn.put(f"/civitai/{version_id}/{entry['id']}/{_ascii(name)}", content, Content_Disposition=disposition)
        return Answer(307, headers={"Location": url})


def _ascii(name: str) -> str:
    return re.sub(r"[^\w.\-]", "_", name)[-100:]


def _gate(gate: str, token: str | None) -> Answer | None:
    if gate == "login" and not token:
        told = "The creator of this asset requires you to be logged in to download it"
        return said({"error": "Unauthorized", "message": told}, 401)
    if gate == "early":
        told = "This asset is in Early Access. You can use Buzz access it now!"
        return said(
            {"error": "Early Access", "deadline": "2099-01-01T00:00:00.000Z", "message": told}, 401 if not token else 403
        )
    if gate == "region":
        return said({"error": "Not available in your region", "message": "Civitai is not available in your country"}, 451)
    return None


def _fits(model: _Model, query: Mapping[str, list[str]]) -> bool:
    about = model.about
    bases = {version["baseModel"] for version in model.versions}
    return (
        all(word.lower() in about["name"].lower() for word in query.get("query", [""])[0].split())
        and about["type"] in query.get("types", [about["type"]])
        and bool(bases & set(query.get("baseModels", bases)))
        and query.get("tag", [""])[0] in ("", *about["tags"])
        and (not about["nsfw"] or query.get("nsfw", ["false"])[0] == "true")
    )


def _model(model_id: int, type: str, name: str) -> dict[str, Any]:
    return {
        "id": model_id,
        "name": name,
        "description": "<p>Black ink on white paper. Use a <strong>weight of 0.6-0.8</strong>.</p>",
        "allowNoCredit": True,
        "allowCommercialUse": ["Image", "RentCivit"],
        "allowDerivatives": True,
        "allowDifferentLicense": False,
        "type": type,
        "minor": False,
        "sfwOnly": False,
        "poi": False,
        "nsfw": False,
        "nsfwLevel": 1,
        "availability": "Public",
        "cosmetic": None,
        "supportsGeneration": True,
        "stats": {
            "downloadCount": 4321,
            "favoriteCount": 0,
            "thumbsUpCount": 321,
            "thumbsDownCount": 2,
            "commentCount": 7,
            "ratingCount": 0,
            "rating": 0,
            "tippedAmountCount": 50,
        },
        "creator": {"username": "inker", "image": "https://image.civitai.com/x/inker.jpeg"},
        "tags": ["style", "ink", "drawing"],
    }


def _version(version_id: int, name: str, files: list[dict[str, Any]], url: str) -> dict[str, Any]:
    return {
        "id": version_id,
        "index": 0,
        "name": name,
        "baseModel": "SDXL 1.0",
        "baseModelType": "Standard",
        "createdAt": "2025-06-01T09:58:12.345Z",
        "publishedAt": "2025-06-01T10:01:00.000Z",
        "status": "Published",
        "availability": "Public",
        "nsfwLevel": 1,
        "description": "<p>Sharper lines.</p>",
        "trainedWords": ["ink drawing, monochrome", "inkstyle"],
        "covered": True,
        "usageControl": "Download",
        "earlyAccessEndsAt": None,
        "earlyAccessConfig": None,
        "stats": {"downloadCount": 1234, "thumbsUpCount": 210, "thumbsDownCount": 1},
        "files": files,
        "images": [
            {
                "id": version_id * 10 + 1,
                "url": "https://image.civitai.com/x/0001/original=true/video.mp4",
                "nsfwLevel": 1,
                "width": 832,
                "height": 1216,
                "type": "video",
            },
            {
                "id": version_id * 10 + 2,
                "url": "https://image.civitai.com/x/0002/original=true/mature.jpeg",
                "nsfwLevel": 16,
                "width": 832,
                "height": 1216,
                "type": "image",
            },
            {
                "id": version_id * 10 + 3,
                "url": "https://image.civitai.com/x/0003/original=true/ink.jpeg",
                "nsfwLevel": 1,
                "width": 832,
                "height": 1216,
                "type": "image",
                "hash": "UJFr;JR*00WB",
            },
        ],
        "downloadUrl": url,
    }


def _alone(model_id: int, model: _Model, version: Mapping[str, Any]) -> dict[str, Any]:
    """A version as ``/model-versions/…`` tells it: with little of its model, without ``availability``."""
    about = {key: model.about[key] for key in ("name", "type", "nsfw", "poi")}
    shown = {key: value for key, value in version.items() if key not in ("availability", "index", "covered")}
    kind = str(model.about["type"]).lower()
    return {**shown, "modelId": model_id, "air": f"urn:air:sdxl:{kind}:civitai:{model_id}@{version['id']}", "model": about}


# --------------------------------------------------------------------------- Hugging Face

LFS_FROM = 1024  # bytes; the hub itself decides by name and size


@dataclass
class _Repo:
    about: dict[str, Any]
    revisions: dict[str, dict[str, Content]]
    gate: str
    sha: str


class HuggingFace:
    """``tokens`` are the keys that are accepted; ``granted`` those that may read gated and private repositories;
    ``xet`` the Xet storage (``standin_xet.py``) that large files also lie in."""

    def __init__(self, cdn: Cdn) -> None:
        self.repos: dict[str, _Repo] = {}
        self.tokens: set[str] = {"hf_standin_1234", "hf_granted_1234"}
        self.granted: set[str] = {"hf_granted_1234"}
        self.xet = None
        self._cdn, self._hashes, self.server = cdn, {}, Server(self._answer)
        self.url, self.fault, self.asked, self.heal = self.server.url, self.server.fault, self.server.asked, self.server.heal

    def add(
        self, repo: str, files: Mapping[str, Content], *, gate: str = "", tags: tuple[str, ...] = (), card=None, **about
    ) -> str:
        """A repository, or another commit of one; the commit's SHA. ``gate`` is ``gated`` or ``private``; ``about``
        overrides answer fields."""
        hashes = {path: sha256_of(content) for path, content in files.items()}
        self._hashes |= {id(content): hashes[path] for path, content in files.items()}
        sha = hashlib.sha1(repr((repo, sorted(hashes.items()))).encode()).hexdigest()
        held = self.repos.setdefault(repo, _Repo(_repo(repo), {}, gate, sha))
        held.about |= {"tags": list(tags), "cardData": card or {}, "sha": sha, "gated": "auto" if gate == "gated" else False}
        held.about |= {"private": gate == "private", **about}
        held.revisions[sha], held.sha = dict(files), sha
        return sha

    def _answer(self, asked: Asked) -> Answer:
        token = bearer(asked)
        if token and token not in self.tokens:
            told = "Invalid credentials in Authorization header"
            return said({"error": told}, 401, X_Error_Message=told)
        if asked.path == "/api/models":
            return self._search(asked)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", asked.path):
            return self._info(found[1], found[2], asked)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/xet-read-token/(\w+)", asked.path):
            return self._xet_key(*found.groups(), token)
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", asked.path):
            return self._resolve(*found.groups(), token)
        return said({"error": "Not Found"}, 404)

    def _search(self, asked: Asked) -> Answer:
        wanted = asked.query
        text = wanted.get("search", [""])[0].lower()
        filters = [tag for value in wanted.get("filter", []) for tag in value.split(",")]
        filters += wanted.get("pipeline_tag", [])
        fitting = [
            repo
            for name, repo in self.repos.items()
            if text in name.lower() and all(tag in (*repo.about["tags"], repo.about["pipeline_tag"]) for tag in filters)
        ]
        if sort := wanted.get("sort", [""])[0]:
            fitting.sort(key=lambda repo: repo.about.get(sort) or 0, reverse=True)
        fitting = [repo for repo in fitting if repo.gate != "private" or bearer(asked) in self.granted]
        start, limit = int(wanted.get("cursor", ["0"])[0]), int(wanted.get("limit", ["1000"])[0])
        shown = [self._told(repo, repo.sha, asked) for repo in fitting[start : start + limit]]
        if start + limit >= len(fitting):
            return said(shown)
        following = [(key, value) for key, values in wanted.items() if key != "cursor" for value in values]
        link = f"{self.url}/api/models?{urlencode([*following, ('cursor', str(start + limit))])}"
        return said(shown, Link=f'<{link}>; rel="next"')

    def _info(self, name: str, revision: str | None, asked: Asked) -> Answer:
        repo = self._seen(name, bearer(asked))
        if isinstance(repo, Answer):
            return repo
        sha = self._sha(repo, revision or "main")
        if sha is None:
            told = f"Invalid rev id: {revision}"
            return said({"error": told}, 404, X_Error_Code="RevisionNotFound", X_Error_Message=told)
        return said(self._told(repo, sha, asked))

    def _told(self, repo: _Repo, sha: str, asked: Asked) -> dict[str, Any]:
        blobs = asked.query.get("blobs", [""])[0].lower() == "true"
        return {**repo.about, "sha": sha, "siblings": [self._sibling(*each, blobs) for each in repo.revisions[sha].items()]}

    def _sibling(self, path: str, content: Content, blobs: bool) -> dict[str, Any]:
        if not blobs:
            return {"rfilename": path}
        digest, size = self._hashes[id(content)], size_of(content)
        told: dict[str, Any] = {"rfilename": path, "size": size, "blobId": digest[:40]}
        if size >= LFS_FROM:
            told["lfs"] = {"sha256": digest, "size": size, "pointerSize": 134}
        return told

    def _resolve(self, name: str, revision: str, path: str, token: str | None) -> Answer:
        repo = self._seen(name, token)
        if isinstance(repo, Answer):
            return repo
        sha = self._sha(repo, revision)
        if sha is None:
            return said({"error": "Invalid rev id"}, 404, X_Error_Code="RevisionNotFound", X_Error_Message="Invalid rev id")
        if repo.gate == "gated" and token not in self.granted:
            return _gated(name, token)
        content = repo.revisions[sha].get(path)
        if content is None:
            return said({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound", X_Error_Message="Entry not found")
        digest = self._hashes[id(content)]
        headers = {"X-Repo-Commit": sha}
        if size_of(content) < LFS_FROM:
            return Answer(served=content, headers=headers, etag=f'"{digest[:40]}"')
        url = self._cdn.put(f"/xet-bridge-us/{digest[:24]}/{digest}", content, etag=f'"{digest}"')
        linked = {"X-Linked-ETag": f'"{digest}"', "X-Linked-Size": str(size_of(content))}
        if self.xet is not None:
            route = f"{self.url}/api/models/{name}/xet-read-token/{sha}"
            linked |= {"X-Xet-Hash": self.xet.put(content), "X-Xet-Refresh-Route": route}
            linked["Link"] = f'<{route}>; rel="xet-auth", <{self.url}/recon>; rel="xet-reconstruction-info"'
        return Answer(302, headers={**headers, **linked, "Location": url})

    def _xet_key(self, name: str, sha: str, token: str | None) -> Answer:
        repo = self._seen(name, token)
        if isinstance(repo, Answer):
            return repo
        if repo.gate == "gated" and token not in self.granted:
            return _gated(name, token)
        return said(self.xet.give_key()) if self.xet and sha in repo.revisions else said({"error": "not found"}, 404)

    def _seen(self, name: str, token: str | None) -> _Repo | Answer:
        repo = self.repos.get(name)
        if repo is not None and (repo.gate != "private" or token in self.granted):
            return repo
        if token:
            return said(
                {"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound", X_Error_Message="Repository not found"
            )
        told = "Invalid username or password."
        return said({"error": told}, 401, X_Error_Code="RepoNotFound", X_Error_Message=told)

    def _sha(self, repo: _Repo, revision: str) -> str | None:
        return repo.sha if revision == "main" else revision if revision in repo.revisions else None


def _gated(name: str, token: str | None) -> Answer:
    told = f"Access to model {name} is restricted"
    told += (
        f" and you are not in the authorized list. Visit https://huggingface.co/{name} to ask for access."
        if token
        else ". You must have access to it and be authenticated to access it. Please log in."
    )
    return said({"error": told}, 403 if token else 401, X_Error_Code="GatedRepo", X_Error_Message=told)


def _repo(name: str) -> dict[str, Any]:
    return {
        "_id": hashlib.md5(name.encode()).hexdigest()[:24],
        "id": name,
        "modelId": name,
        "author": name.partition("/")[0],
        "lastModified": "2025-05-04T10:00:00.000Z",
        "createdAt": "2025-05-01T10:00:00.000Z",
        "disabled": False,
        "pipeline_tag": "text-to-image",
        "library_name": "diffusers",
        "downloads": 4321,
        "likes": 77,
        "usedStorage": 123456789,
    }
