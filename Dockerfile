# srgan on a CPU: docker build -t srgan . && docker run --rm -v "$PWD:/data" srgan upscale photo.jpg -o out/
FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN pip install --no-cache-dir --target /packages torch torchvision --index-url https://download.pytorch.org/whl/cpu \
    && PYTHONPATH=/packages pip install --no-cache-dir --target /packages --upgrade-strategy only-if-needed ".[fast]"

FROM python:3.13-slim
ENV PYTHONPATH=/packages PYTHONUNBUFFERED=1 SRGAN_HOME=/data/.srgan
COPY --from=build /packages /packages
RUN useradd --create-home srgan
USER srgan
WORKDIR /data
ENTRYPOINT ["python", "-m", "srgan_cli"]
CMD ["--help"]
