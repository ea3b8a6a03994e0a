# Sartoria on a machine with an NVIDIA card, for who would rather not install Python: see docs/machines.md.
# PyTorch's own wheels bring CUDA; an image that has it too would be twice as large. What must be there is the driver, and the
# NVIDIA Container Toolkit that shows it to the container.
FROM python:3.12-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

RUN useradd --create-home --uid 1000 tailor \
 && install --directory --owner=tailor --group=tailor --mode=700 /home/tailor/work

WORKDIR /opt/sartoria
COPY requirements.txt ./
RUN pip install --requirement requirements.txt

COPY app.py LICENSE ./
COPY presets presets
COPY tuning tuning

USER 1000:1000
# Runs, data, models and adapters: mount a folder or a named volume here, or they go with the container.
ENV TUNING_HOME=/home/tailor/work
VOLUME /home/tailor/work
EXPOSE 7860

HEALTHCHECK --interval=30s --timeout=10s --start-period=120s \
  CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:7860/healthz', timeout=8)"]

# Others can reach the port, so they log in: one line NAME:PASSWORD for each person in the mounted file.
CMD ["python", "app.py", "--host", "0.0.0.0", "--no-browser", "--auth-file", "/run/secrets/log-ins"]
