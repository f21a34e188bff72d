# syntax=docker.io/docker/dockerfile:1
# Shape of: github.com/vercel/next.js (examples/with-docker/Dockerfile)

FROM node:18-alpine AS base

# dependencies alone
FROM base AS deps
RUN apk add --no-cache libc6-compat
WORKDIR /app

# one of these exists; the patterns make the others optional
COPY package.json yarn.lock* package-lock.json* pnpm-lock.yaml* .npmrc* ./
RUN \
  if [ -f yarn.lock ]; then yarn --frozen-lockfile; \
  elif [ -f package-lock.json ]; then npm ci; \
  elif [ -f pnpm-lock.yaml ]; then corepack enable pnpm && pnpm i --frozen-lockfile; \
  else echo "Lockfile not found." && exit 1; \
  fi


FROM base AS builder
WORKDIR /app
COPY --from=deps /app/node_modules ./node_modules
COPY . .

# ENV TELEMETRY_DISABLED=1

RUN \
  if [ -f yarn.lock ]; then yarn run build; \
  elif [ -f package-lock.json ]; then npm run build; \
  elif [ -f pnpm-lock.yaml ]; then corepack enable pnpm && pnpm run build; \
  else exit 1; \
  fi

FROM base AS runner
WORKDIR /app

ENV NODE_ENV=production

RUN addgroup --system --gid 1001 nodejs
RUN adduser --system --uid 1001 pages

COPY --from=builder /app/public ./public

COPY --from=builder --chown=pages:nodejs /app/.out/standalone ./
COPY --from=builder --chown=pages:nodejs /app/.out/static ./.out/static

USER pages

EXPOSE 3000

ENV PORT=3000

ENV HOSTNAME="0.0.0.0"
CMD ["node", "server.js"]
