# srgan on a CPU: docker build -t srgan . && docker run --rm --user "$(id -u)" -v "$PWD:/data" srgan upscale photo.jpg
FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/srgan \
    && /opt/srgan/bin/pip install --no-cache-dir torch torchvision --index-url https://download.pytorch.org/whl/cpu \
    && /opt/srgan/bin/pip install --no-cache-dir ".[fast]"

FROM python:3.13-slim
ENV PYTHONUNBUFFERED=1 SRGAN_HOME=/data/.srgan
COPY --from=build /opt/srgan /opt/srgan
RUN useradd --create-home srgan
USER srgan
WORKDIR /data
ENTRYPOINT ["/opt/srgan/bin/srgan"]
CMD ["--help"]
