#!/bin/sh
# Makes the environments of an image: /opt/notebook for the server, and /opt/python-X.Y for the kernel of each further
# Python. PYTHONS: the versions that are wanted, the first one found runs the server.
set -eu
here=$1
first=""
for version in ${PYTHONS}; do
    python=$(command -v "python${version}" || true)
    if [ -z "${python}" ]; then
        echo "This base has no Python ${version}: no kernel for it"
        continue
    fi
    if [ -z "${first}" ]; then
        first=${version}
        "${python}" -m venv /opt/notebook
        /opt/notebook/bin/pip install -q -c "${here}/constraints.txt" -r "${here}/packages.txt"
        continue
    fi
    "${python}" -m venv "/opt/python-${version}"
    "/opt/python-${version}/bin/pip" install -q -c "${here}/constraints.txt" ipykernel ipywidgets
done
if [ -z "${first}" ]; then
    echo "This base has none of the Pythons ${PYTHONS}. Name one that it has: --build-arg PYTHONS=\"3.13\"" >&2
    exit 1
fi
cat >/usr/local/bin/notebook-agent <<'AGENT'
#!/bin/sh
# The first process of a notebook. -P -s: nothing that a user puts into the workspace is imported by what saves it.
exec /opt/notebook/bin/python -P -s -m jupyterhub_notebooks.agent "$@"
AGENT
chmod 0755 /usr/local/bin/notebook-agent
