#!/usr/bin/env bash
# Measure this machine's GPU: start.sh KIT_FOLDER [arguments of tools.gpu_check]. Needs no internet.
# The kit is unpacked into /opt/lingting-kit once; the folder may be empty if that was done.
set -euo pipefail
[ $# -gt 0 ] && [ -d "$1" ] || { echo "usage: start.sh KIT_FOLDER [--shape turbo ...]" >&2; exit 2; }
kit=$1 && shift
root=$(cd "$(dirname "$0")/../.." && pwd)
home=${LINGTING_KIT_HOME:-/opt/lingting-kit}
unset LINGTING_KIT_HOME
if [ ! -e $home/site ]; then
  compgen -G "$kit/kit-*.part" >/dev/null || {
    echo "$kit holds no kit-*.part: make them with python -m tools.gpu_check.pack" >&2; exit 2; }
  mkdir -p $home
  cat "$kit"/kit-*.part | tar -xJ -C $home
fi

# An environment of the machine's Python whose first packages are the kit's: Triton's Python backend
# looks for its packages where python3 has them, not where PYTHONPATH says.
python3 -m venv --without-pip $home/venv
packages=$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf '%s\n' $home/site "$root" "$packages" \
  > "$($home/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/kit.pth"
# Installed packages say their version; the checkout is not installed.
mkdir -p $home/site/lingting-0.dist-info
printf 'Metadata-Version: 2.1\nName: lingting\nVersion: 0\n' > $home/site/lingting-0.dist-info/METADATA
[ -e "$root/bundles/whisper-base" ] || ln -s $home/whisper-base "$root/bundles/whisper-base"

# CTranslate2 asks for CUDA 12's cuBLAS by name. CUDA 13's has the same functions: lend it the name.
library() { ldconfig -p | awk -v name="$1" '$1 == name {print $NF; exit}' | grep . \
  || find / -name "$1" -not -path '/proc/*' -not -path "$home/*" 2>/dev/null | head -n 1 || true; }
mkdir -p $home/cuda
for name in libcublas libcublasLt; do
  found=$(library $name.so.12)
  [ -n "$found" ] || found=$(library $name.so.13)
  [ -n "$found" ] && ln -sf "$found" $home/cuda/$name.so.12 && paths="${paths:-}:$(dirname "$found")"
done
cudnn=$(library libcudnn.so.9)
export LD_LIBRARY_PATH="$home/cuda${paths:-}:$(dirname "${cudnn:-/}"):${LD_LIBRARY_PATH:-}"
echo "cuBLAS: $(readlink -f $home/cuda/libcublas.so.12 2>/dev/null || echo none); cuDNN: ${cudnn:-none}"
cd "$root" && exec $home/venv/bin/python -m tools.gpu_check "$@"
