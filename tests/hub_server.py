"""A stand-in for the Hugging Face Hub: the part of its HTTP interface that `huggingface_hub` uses.

Repositories are in memory. Text files are committed as they are and all others as git-lfs objects,
as on the hub, with redirects, ETags and error codes like its own.
"""

import base64
import hashlib
import http.server
import json
import re
import threading
import urllib.parse

TOKEN = "hf_stand_in"
TEXTS = (".md", ".json", ".csv", ".py", ".gitattributes")


class Repository:
    """Commits by hash, and branches and tags by name."""

    def __init__(self, private):
        self.private = private
        self.commits = {}
        self.refs = {}
        self.commit({".gitattributes": b"*.safetensors filter=lfs"})

    def commit(self, files):
        parts = [f"{name}\0".encode() + content for name, content in sorted(files.items())]
        sha = hashlib.sha1(b"".join([str(len(self.commits)).encode(), *parts])).hexdigest()
        self.commits[sha] = files
        self.refs["main"] = sha
        return sha

    def find(self, revision):
        return revision if revision in self.commits else self.refs.get(revision)


class HubServer(http.server.ThreadingHTTPServer):
    """The server; listens while it is a context."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories = {}
        self.objects = {}  # git-lfs objects by SHA-256 digest
        self.requests = []
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.storage = f"http://localhost:{self.server_port}/lfs"  # another host, as on the hub

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.thread.join()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    ROUTES = (
        ("HEAD", r"/", "root"),
        ("POST", r"/api/repos/create", "create"),
        ("POST", r"/api/validate-yaml", "validate"),
        ("GET", r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", "info"),
        ("GET", r"/api/models/([^/]+/[^/]+)/tree/([^/]+)(?:/.*)?", "tree"),
        ("POST", r"/api/models/([^/]+/[^/]+)/preupload/(.+)", "preupload"),
        ("POST", r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", "batch"),
        ("PUT", r"/lfs/(\w+)", "store"),
        ("GET", r"/lfs/(\w+)", "fetch"),
        ("POST", r"/api/models/([^/]+/[^/]+)/commit/(.+)", "commit"),
        ("HEAD", r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", "resolve"),
        ("GET", r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", "resolve"),
    )

    def log_message(self, *_):
        pass

    def route(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length) if length else self.read_chunks()
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        self.server.requests.append(f"{self.command} {path}")
        for method, pattern, name in self.ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method == self.command:
                return getattr(self, name)(*match.groups())
        return self.answer(404, {"error": f"no route for {self.command} {path}"})

    do_GET = do_HEAD = do_POST = do_PUT = route  # noqa: N815

    def read_chunks(self):
        body = b""
        while self.headers.get("Transfer-Encoding") == "chunked":
            size = int(self.rfile.readline(), 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                break
        return body

    def answer(self, status, content, **headers):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.close_connection = True
        headers = {"Content-Length": len(body), "Connection": "close"} | headers
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def is_authorized(self):
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def repository(self, name):
        """The repository; None, after an answer, if there is none or it is not to be seen."""
        found = self.server.repositories.get(name)
        if found and (self.is_authorized() or not found.private):
            return found
        self.answer(
            404 if self.is_authorized() else 401,
            {"error": "Repository not found"},
            X_Error_Code="RepoNotFound",
            X_Error_Message="Repository not found",
        )
        return None

    def root(self):
        self.answer(200, b"")

    def create(self):
        wanted = json.loads(self.body)
        owner = wanted.get("organization") or "ada"
        name = f"{owner}/{wanted['name']}"
        if not self.is_authorized():
            return self.answer(401, {"error": "Invalid username or password."})
        if owner != "ada":
            return self.answer(403, {"error": f"You don't have the rights to create {name}"})
        document = {"url": f"{self.server.url}/{name}"}
        if name in self.server.repositories:
            return self.answer(409, document | {"error": "You already created this model repo"})
        is_private = wanted.get("private") or wanted.get("visibility") == "private"
        self.server.repositories[name] = Repository(bool(is_private))
        return self.answer(200, document)

    def validate(self):
        from huggingface_hub import ModelCard

        try:
            card = ModelCard(json.loads(self.body)["content"])
        except ValueError as error:
            return self.answer(400, {"errors": [{"message": str(error)}], "warnings": []})
        names = [] if card.data.get("license") != "apache" else ['"license" must be one of ...']
        errors = [{"message": message} for message in names]
        return self.answer(400 if errors else 200, {"errors": errors, "warnings": []})

    def info(self, name, revision):
        if (repository := self.repository(name)) is None:
            return None
        sha = repository.find(revision or "main")
        if sha is None:
            return self.answer(404, {"error": "Invalid rev id"}, X_Error_Code="RevisionNotFound")
        document = {
            "id": name, "modelId": name, "sha": sha, "private": repository.private, "tags": [],
            "downloads": 0, "likes": 0,
            "siblings": [{"rfilename": path} for path in repository.commits[sha]],
        }  # fmt: skip
        return self.answer(200, document)

    def tree(self, name, revision):
        if (repository := self.repository(name)) is None:
            return
        files = repository.commits[repository.find(revision)]
        self.answer(200, [describe(path, content) for path, content in files.items()])

    def preupload(self, name, revision):
        if not self.is_authorized():
            return self.answer(403, {"error": "Forbidden: you must have write access"})
        files = [
            {
                "path": file["path"],
                "uploadMode": "regular" if file["path"].endswith(TEXTS) else "lfs",
                "shouldIgnore": False,
            }
            for file in json.loads(self.body)["files"]
        ]
        return self.answer(200, {"files": files})

    def batch(self, name):
        objects = [
            {**wanted, "actions": {"upload": {"href": f"{self.server.storage}/{wanted['oid']}"}}}
            for wanted in json.loads(self.body)["objects"]
        ]
        self.answer(200, {"transfer": "basic", "objects": objects})

    def store(self, oid):
        is_right = hashlib.sha256(self.body).hexdigest() == oid
        self.server.objects[oid] = self.body
        self.answer(200 if is_right else 400, b"")

    def fetch(self, oid):
        self.answer(200, self.server.objects[oid], ETag=f'"{oid}"')

    def commit(self, name, revision):
        repository = self.server.repositories[name]
        files = dict(repository.commits[repository.find(revision)])
        for line in self.body.splitlines():
            operation = json.loads(line)
            value = operation["value"]
            if operation["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                files[value["path"]] = self.server.objects[value["oid"]]
            elif operation["key"] == "deletedFile":
                del files[value["path"]]
        sha = repository.commit(files)
        url = f"{self.server.url}/{name}/commit/{sha}"
        self.answer(200, {"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""})

    def resolve(self, name, revision, path):
        if (repository := self.repository(name)) is None:
            return None
        sha = repository.find(revision)
        content = repository.commits[sha].get(path)
        if content is None:
            return self.answer(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound")
        described = describe(path, content)
        headers = {"X_Repo_Commit": sha, "ETag": f'"{described["oid"]}"'}
        if "lfs" not in described:
            return self.answer(200, content, **headers)
        oid = described["lfs"]["oid"]
        self.server.objects[oid] = content
        linked = {"X_Linked_Etag": f'"{oid}"', "X_Linked_Size": len(content)}
        location = f"{self.server.storage}/{oid}"
        return self.answer(302, b"", Location=location, **headers, **linked)


def describe(path, content):
    oid = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
    described = {"type": "file", "path": path, "size": len(content), "oid": oid}
    if not path.endswith(TEXTS):
        digest = hashlib.sha256(content).hexdigest()
        described["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 134}
    return described
