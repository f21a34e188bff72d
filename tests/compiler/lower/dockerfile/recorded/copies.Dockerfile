FROM BASE AS x
WORKDIR /w
RUN touch a b
FROM x AS y
COPY --from=x /w/a /w/b ./d/
COPY --from=0 --chown=root:0 --chmod=0644 w/* /e
COPY --from=x --chown=nobody /w/. .
USER nobody:nobody
WORKDIR q/../r
COPY --from=x ../w/a .
ADD <<A <<"B" /h/
x $HOME \$y
A
z $HOME
B
