FROM BASE
ARG name=with%20blank
ARG SOURCE_DATE_EPOCH=1600000000
WORKDIR /w
ADD WEBSITE/plain.txt WEBSITE/deep/${name}.txt?x=1 web/
ADD --checksum=WEBSUM --chmod=600 --chown=user WEBSITE/plain.txt /sum
ADD --link --chown=5 WEBSITE/pack.tar.gz /linked/
ADD WEBSITE/ .
ADD WEBSITE/repo.git /repo
ADD --keep-git-dir=true WEBSITE/repo.git#v1 /v1
ADD --link --chown=3:4 WEBSITE/repo.git#side:sub/ /sub
