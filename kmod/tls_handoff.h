/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of tls_handoff.ko share: the context of a taken-over socket,
 * the per-namespace state, and the functions by file.
 *
 * Lock order, outermost first:
 *	tls_handoff_ctx.lock
 *	tls_handoff_ctx.tx_mutex or .rx_mutex, or tls_handoff_net.lock
 *	lock_sock(ctx->sk)
 *	tls_handoff_ctx.session_lock, ctx->records.lock, tls_handoff_listener.lock
 * No two contexts' locks are ever held together.
 */
#ifndef _TLS_HANDOFF_H
#define _TLS_HANDOFF_H

#include <linux/cgroup.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <net/tls.h>

#include <linux/tls_handoff.h>

/* Diverted records that wait for the session handler before readers are held */
#define TLS_HANDOFF_MAX_QUEUED		16
/* Records under one key where DONE does not say: RFC 8446 5.5, with a margin */
#define TLS_HANDOFF_LIMIT		BIT_ULL(24)
#define TLS_HANDOFF_LIMIT_CCM		BIT_ULL(23)
/* Handshakes that are not finished: of one namespace, of one user there; see limits.c */
#define TLS_HANDOFF_MAX_PENDING		16384
#define TLS_HANDOFF_MAX_PENDING_USER	8192
/* Milliseconds that anybody waits for the session handler where DONE does not say */
#define TLS_HANDOFF_HANDLER_TIMEOUT	10000
/* Bytes of an exporter's label, context and answer */
#define TLS_HANDOFF_MAX_EXPORT		255

struct tls_handoff_ctx;
struct tls_handoff_agent;
struct tls_handoff_export;
struct tls_handoff_listener;
struct tls_handoff_child;
struct tls_handoff_consumer;

/* /proc/net/tls_handoff_stat, in its order; names in stats.c */
enum tls_handoff_stat {
	TLS_HANDOFF_STAT_CURR_SOCKETS,
	TLS_HANDOFF_STAT_CURR_PENDING,
	TLS_HANDOFF_STAT_CURR_ESTABLISHED,
	TLS_HANDOFF_STAT_CURR_SESSION_FDS,
	TLS_HANDOFF_STAT_STARTED,
	TLS_HANDOFF_STAT_ESTABLISHED,
	TLS_HANDOFF_STAT_FAILED,
	TLS_HANDOFF_STAT_TIMED_OUT,
	TLS_HANDOFF_STAT_NO_AGENT,
	TLS_HANDOFF_STAT_AGENT_LOST,
	TLS_HANDOFF_STAT_RECORDS_DIVERTED,
	TLS_HANDOFF_STAT_CLOSE_SENT,
	TLS_HANDOFF_STAT_CLOSE_RECEIVED,
	TLS_HANDOFF_STAT_ALERTS_RECEIVED,
	TLS_HANDOFF_STAT_RECORD_ERRORS,
	TLS_HANDOFF_STAT_TRUNCATED,
	TLS_HANDOFF_STAT_RX_REKEYS,
	TLS_HANDOFF_STAT_TX_REKEYS,
	TLS_HANDOFF_STAT_HANDLER_TIMEOUTS,
	TLS_HANDOFF_STAT_ACCEPT_DROPPED,
	TLS_HANDOFF_STAT_NUM,
};

/**
 * struct tls_handoff_net - state of one network namespace
 * @lock: protects @agents, their lists, @pending and @pending_users
 * @agents: registered agents, least recently used first
 * @pending: handshakes between START and their end
 * @pending_users: the same by uid, as values
 * @max_pending: sysctl, read without a lock
 * @max_pending_per_user: sysctl, read without a lock
 * @sysctls: their table and its header
 * @sessions: contexts by session id; xa_lock protects the step from finding one
 *	to holding a reference. Entries hold none: release() erases them
 * @stats: counters of /proc/net/tls_handoff_stat
 */
struct tls_handoff_net {
	struct mutex lock;	/* protects agents, their lists, pending and pending_users */
	struct list_head agents;
	unsigned int pending;
	struct xarray pending_users;
	unsigned int max_pending;
	unsigned int max_pending_per_user;
	struct ctl_table_header *sysctls;
	struct xarray sessions;
	u64 __percpu *stats;
};

/**
 * struct tls_handoff_params - what the program asked for, before START
 * @refcnt: one for each context; connections share those of their listener
 * @profile: %NULL is "default"; strings are NUL-terminated, %NULL where not set
 * @peer_name: host name or address literal
 * @psk_identity: which PSK
 * @alpn: length-prefixed names, checked
 * @alpn_len: bytes of @alpn
 * @ciphers: TLS_CIPHER_*, preference first
 * @cipher_count: entries of @ciphers; 0: not set
 * @min_version: TLS_1_x_VERSION; 0: not set
 * @max_version: TLS_1_x_VERSION; 0: not set
 * @auth: TLS_HANDOFF_AUTH_*; 0: not set
 * @timeout: milliseconds; 0: not set
 * @client_cert: TLS_HANDOFF_CERT_*; -1: not set
 * @resume: 0 or 1; -1: not set
 * @accept_ready: listener: accept() returns ready connections only
 *
 * Under ctx->lock; nothing changes after START.
 */
struct tls_handoff_params {
	refcount_t refcnt;
	char *profile;
	char *peer_name;
	char *psk_identity;
	u8 *alpn;
	u16 alpn_len;
	u16 ciphers[TLS_HANDOFF_MAX_CIPHERS];
	u8 cipher_count;
	u16 min_version;
	u16 max_version;
	u32 auth;
	u32 timeout;
	s8 client_cert;
	s8 resume;
	bool accept_ready;
};

/**
 * struct tls_handoff_results - what DONE brought
 * @alpn: the chosen name; strings are NUL-terminated, %NULL where there is nothing
 * @peer_identity: with its kind, as "dns:www.example"
 * @server_name: the SNI received
 * @error: why it failed
 * @peer_cert: DER of the leaf
 * @peer_cert_len: bytes of @peer_cert
 *
 * Under ctx->lock.
 */
struct tls_handoff_results {
	char *alpn;
	char *peer_identity;
	char *server_name;
	char *error;
	u8 *peer_cert;
	u16 peer_cert_len;
};

/**
 * struct tls_handoff_handshake - lives from START to the end of the handshake
 * @link: on agent->waiting until ACCEPT; net->lock
 * @ctx: whose handshake it is
 * @portid: who accepted; 0 before; ctx->lock
 * @timeout: holds a reference to the context while it is pending
 * @cgroup: of START's caller
 */
struct tls_handoff_handshake {
	struct list_head link;
	struct tls_handoff_ctx *ctx;
	u32 portid;
	struct delayed_work timeout;
	struct cgroup *cgroup;
};

/* ctx->flags */
enum {
	TLS_HANDOFF_BIT_RX_HOLD,	/* a record waits for the session handler: nobody reads */
	TLS_HANDOFF_BIT_RX_FULL,	/* too many records wait for the session fd: nobody reads */
	TLS_HANDOFF_BIT_RX_EOF,		/* close_notify came, or a FIN that counts as one */
	TLS_HANDOFF_BIT_RX_DATA,	/* data was read since the last handshake record */
	TLS_HANDOFF_BIT_RX_FAILED,	/* ctx->error is what readers get */
	TLS_HANDOFF_BIT_RX_SHUT,	/* the program called shutdown(SHUT_RD) */
	TLS_HANDOFF_BIT_RX_WAITED,	/* somebody looked for data while a reader held rx_mutex */
	TLS_HANDOFF_BIT_RX_BUSY,	/* a consumer's read_sock() was turned away by rx_mutex */
	TLS_HANDOFF_BIT_CLOSE_SENT,
	TLS_HANDOFF_BIT_CLOSE_WANTED,	/* who holds tx_mutex sends close_notify on the way out */
	TLS_HANDOFF_BIT_CLOSE_RECEIVED,
	TLS_HANDOFF_BIT_TRUNCATED,
	TLS_HANDOFF_BIT_PARTIAL,	/* and in the middle of a record */
	TLS_HANDOFF_BIT_TRUNCATION_EOF,
	TLS_HANDOFF_BIT_PEER_CERT,
	TLS_HANDOFF_BIT_TALKED,		/* the session fd sent, or got, bytes of the handshake */
	TLS_HANDOFF_BIT_TX_READY,	/* TLS_TX was set */
	TLS_HANDOFF_BIT_RX_READY,
	TLS_HANDOFF_BIT_TX_WAITED,	/* the session fd waits for tx_mutex */
	TLS_HANDOFF_BIT_TX_BUSY,	/* a MSG_DONTWAIT sender was turned away by tx_mutex */
	TLS_HANDOFF_BIT_TX_HOLD,	/* a new sending key is due: senders wait for it */
	TLS_HANDOFF_BIT_TX_TURN,	/* the session fd goes before senders */
	TLS_HANDOFF_BIT_TX_ASKED,	/* EVENT_REKEY was sent for this key */
	TLS_HANDOFF_BIT_TX_OFFERED,	/* the new key is here and waits for a sender */
	TLS_HANDOFF_BIT_RX_ASKED,	/* EVENT_PEER_REKEY was sent for this key */
	TLS_HANDOFF_BIT_RX_FRAGMENT,	/* a handshake message goes on in the next record */
	TLS_HANDOFF_BIT_SHUTDOWN,	/* failed, and TCP is shut down already */
};

/* Senders wait */
#define TLS_HANDOFF_TX_HELD	(BIT(TLS_HANDOFF_BIT_TX_HOLD) | BIT(TLS_HANDOFF_BIT_TX_TURN))

/* A sender has more to do than to send */
#define TLS_HANDOFF_TX_MARKED	(BIT(TLS_HANDOFF_BIT_CLOSE_SENT) |		\
				 BIT(TLS_HANDOFF_BIT_CLOSE_WANTED) |		\
				 TLS_HANDOFF_TX_HELD)

/* Readers wait, whatever was received */
#define TLS_HANDOFF_RX_HELD	(BIT(TLS_HANDOFF_BIT_RX_HOLD) | BIT(TLS_HANDOFF_BIT_RX_FULL))

/**
 * struct tls_handoff_ctx - a socket that was taken over
 * @inner: the second struct socket of @sk; kTLS attaches here. sk->sk_socket points
 *	to it, so the context of a program's socket is container_of() that
 * @refcnt: one for the program's socket, one for the session fd, one for the
 *	pending timeout, and short ones of the netlink family
 * @inner_owner: module of the ops that the program's socket had; released after them
 * @flags: TLS_HANDOFF_BIT_*, by atomic bit operations
 * @lock: protects what follows up to @state, and the life of @app and @sk
 * @app: the program's socket; %NULL after its release
 * @sk: the TCP socket; %NULL after the release of @app, which owns the reference
 * @net: of @sk
 * @handshake: %NULL outside of one
 * @params: %NULL until an option is set
 * @results: %NULL until there are some
 * @id: session id; 0 before START
 * @tx_generation: key updates sent
 * @rx_generation: key updates received
 * @handshake_usec: START to ready
 * @started: ktime_get() at START; 0 before
 * @limit: records that may be sent, or received, under one key; set when ready
 * @limit_near: records after which a new key is asked for
 * @hold_limit: jiffies that anybody waits for the session handler
 * @exporter: the question that a program waits for, or %NULL
 * @export_request: number of the last question
 * @listener: of a listening socket, from START on; set once
 * @child: while the listener has this connection, which no program has yet
 * @consumer: a kernel consumer uses the socket; set once, before the handshake
 * @uid: of START's caller
 * @gid: of START's caller
 * @pid: of START's caller, in the initial namespace
 * @error: positive errno of the failure; the first one stays
 * @verify_status: TLS_HANDOFF_VERIFY_*
 * @event_error: what EVENT_FAILED carries
 * @alert_sent: alert description, or -1
 * @alert_received: alert description, or -1; also written under @rx_mutex
 * @version: TLS_1_x_VERSION; 0 before DONE
 * @cipher: TLS_CIPHER_*
 * @role: TLS_HANDOFF_CLIENT or TLS_HANDOFF_SERVER
 * @auth: TLS_HANDOFF_AUTH_* that took place
 * @resumed: 0 or 1
 * @state: TLS_HANDOFF_STATE_*; written under @lock, read without
 * @hold: time limit of the holds; holds a reference to the context while it is pending
 * @rx_since: jiffies when RX_HOLD was set; valid with the bit
 * @tx_since: jiffies when TX_HOLD or TX_TURN was set; valid with the bit
 * @rx_mutex: one receive at a time, never held while waiting for the peer
 * @tx_mutex: one sender at a time; held while kTLS waits for buffer space
 * @passthrough: calls on the plain socket that are under way, see
 *	tls_handoff_plain_enter()
 * @records_diverted: for INFO
 * @rx_looks: data records that poll() looked at in vain since the last other record,
 *	under @rx_mutex
 * @records: diverted records, oldest first; skb->cb is kTLS's
 * @session_lock: protects @session against its release
 * @session: struct sock of the session fd, or %NULL
 * @events: bits 1 << TLS_HANDOFF_EVENT_* that the session fd still has to hand out
 */
struct tls_handoff_ctx {
	struct socket inner;
	refcount_t refcnt;
	struct module *inner_owner;
	unsigned long flags;

	struct mutex lock;	/* protects the fields up to state */
	struct socket *app;
	struct sock *sk;
	struct tls_handoff_net *net;
	struct tls_handoff_handshake *handshake;
	struct tls_handoff_params *params;
	struct tls_handoff_results *results;
	u64 id;
	u64 tx_generation;
	u64 rx_generation;
	u64 handshake_usec;
	ktime_t started;
	u64 limit;
	u64 limit_near;
	unsigned long hold_limit;
	struct tls_handoff_export *exporter;
	u32 export_request;
	struct tls_handoff_listener *listener;
	struct tls_handoff_child *child;
	struct tls_handoff_consumer *consumer;
	kuid_t uid;
	kgid_t gid;
	pid_t pid;
	int error;
	u32 verify_status;
	u32 event_error;
	s16 alert_sent;
	s16 alert_received;
	u16 version;
	u16 cipher;
	u8 role;
	u8 auth;
	u8 resumed;
	u8 state;

	struct delayed_work hold;
	unsigned long rx_since;
	unsigned long tx_since;

	struct mutex rx_mutex;	/* protects kTLS's rx_list against a second reader */
	struct mutex tx_mutex;	/* protects kTLS's open record and key against a second sender */
	atomic_t passthrough;
	atomic64_t records_diverted;

	u8 rx_looks;
	struct sk_buff_head records;
	spinlock_t session_lock;	/* protects session against its release */
	struct sock *session;
	unsigned long events;
};

/* What a failure found under rx_mutex must do after it is dropped */
struct tls_handoff_rx_failure {
	int error;		/* positive errno; 0: none */
	unsigned int event;	/* TLS_HANDOFF_EVENT_* for the session handler, or 0 */
	const char *words;	/* %NULL: the alert that was received says it */
};

/**
 * struct tls_handoff_consumer - what an adopted socket needs on top
 * @ctx: of the socket; its last reference frees this
 * @work: ends the connection where the reader may not; holds a reference while it is pending
 * @failure: what @work does; under @ctx->rx_mutex, as is what follows
 * @expired: TLS 1.2: the key reached its limit
 * @reading: the caller of read_sock() holds lock_sock
 */
struct tls_handoff_consumer {
	struct tls_handoff_ctx *ctx;
	struct work_struct work;
	struct tls_handoff_rx_failure failure;
	bool expired;
	bool reading;
};

/**
 * struct tls_handoff_agent - a netlink port that did REGISTER
 * @link: on tls_handoff_net.agents
 * @waiting: handshakes announced to this agent and not accepted
 * @net: its namespace
 * @portid: its netlink port; the agent goes when that is closed
 */
struct tls_handoff_agent {
	struct list_head link;
	struct list_head waiting;
	struct net *net;
	u32 portid;
};

static inline struct tls_handoff_ctx *tls_handoff_ctx(const struct socket *app)
{
	struct socket *inner = READ_ONCE(app->sk->sk_socket);

	return container_of(inner, struct tls_handoff_ctx, inner);
}

/* kTLS's side of receiving; there once kTLS was attached */
static inline struct tls_sw_context_rx *tls_handoff_rx_ctx(const struct tls_handoff_ctx *ctx)
{
	return tls_sw_ctx_rx(tls_get_ctx(ctx->inner.sk));
}

static inline u8 tls_handoff_state(const struct tls_handoff_ctx *ctx)
{
	/* Pairs with tls_handoff_set_state() */
	return smp_load_acquire(&ctx->state);
}

/* socket.c: taking over, the ops table, release */
int tls_handoff_cache_init(void);
void tls_handoff_cache_exit(void);
int tls_handoff_socket_init(void);
void tls_handoff_socket_exit(void);
struct tls_handoff_ctx *tls_handoff_get(struct tls_handoff_ctx *ctx);
void tls_handoff_put(struct tls_handoff_ctx *ctx);
struct tls_handoff_ctx *tls_handoff_take_over(struct sock *sk, struct socket *app);
bool tls_handoff_plain_enter(struct tls_handoff_ctx *ctx);
void tls_handoff_plain_leave(struct tls_handoff_ctx *ctx);
int tls_handoff_wait_ready(struct tls_handoff_ctx *ctx, long timeo);
void tls_handoff_wake(struct tls_handoff_ctx *ctx);
int tls_handoff_close(struct tls_handoff_ctx *ctx, int how);

/* listen.c: listening sockets, and the connections they accept */
int tls_handoff_listener_start(struct tls_handoff_ctx *ctx);
void tls_handoff_listener_stop(struct tls_handoff_ctx *ctx);
void tls_handoff_child_done(struct tls_handoff_ctx *ctx);
int tls_handoff_accept(struct socket *app, struct socket *newsock, struct proto_accept_arg *arg);
__poll_t tls_handoff_accept_poll(struct tls_handoff_ctx *ctx, __poll_t mask);

/* consumer.c: sockets of kernel consumers, adopted by their agent */
int tls_handoff_get_session_fd(struct tls_handoff_ctx *ctx, char __user *optval,
			       int __user *optlen);
void tls_handoff_consumer_wake(struct tls_handoff_ctx *ctx);
void tls_handoff_consumer_defer(struct tls_handoff_ctx *ctx);

/* limits.c: how many handshakes may be pending */
int tls_handoff_limits_init(struct net *net, struct tls_handoff_net *tnet);
void tls_handoff_limits_exit(struct tls_handoff_net *tnet);
int tls_handoff_pending_add(struct tls_handoff_net *tnet, kuid_t uid);
void tls_handoff_pending_sub(struct tls_handoff_net *tnet, kuid_t uid);
bool tls_handoff_pending_full(struct tls_handoff_net *tnet, kuid_t uid);

/* timers.c: time limits */
int tls_handoff_timers_init(void);
void tls_handoff_timers_exit(void);
void tls_handoff_timers_ctx(struct tls_handoff_ctx *ctx);
void tls_handoff_timer_start(struct tls_handoff_ctx *ctx, struct delayed_work *work,
			     unsigned long delay);
bool tls_handoff_timer_stop(struct tls_handoff_ctx *ctx, struct delayed_work *work);
void tls_handoff_work_start(struct tls_handoff_ctx *ctx, struct work_struct *work);
void tls_handoff_hold(struct tls_handoff_ctx *ctx, unsigned int bit);

/* handshake.c: START, the end of a handshake, failures */
void tls_handoff_set_state(struct tls_handoff_ctx *ctx, u8 state);
struct cgroup *tls_handoff_caller(struct tls_handoff_ctx *ctx);
int tls_handoff_check_params(const struct tls_handoff_params *params, u32 role);
int tls_handoff_start(struct tls_handoff_ctx *ctx, u32 role);
int tls_handoff_start_accepted(struct tls_handoff_ctx *ctx, struct tls_handoff_ctx *listening,
			       struct cgroup *cgroup);
int tls_handoff_start_adopted(struct tls_handoff_ctx *ctx, u32 role,
			      struct tls_handoff_consumer *consumer, struct file *file);
int tls_handoff_ready(struct tls_handoff_ctx *ctx);
void tls_handoff_handshake_end(struct tls_handoff_ctx *ctx);
void tls_handoff_fail(struct tls_handoff_ctx *ctx, int error, const char *words);
void tls_handoff_fail_record(struct tls_handoff_ctx *ctx, int error, unsigned int event,
			     const char *words);
void tls_handoff_shutdown_tcp(struct tls_handoff_ctx *ctx);

/* receive.c: data to the program, everything else to the session fd */
int tls_handoff_recvmsg(struct socket *app, struct msghdr *msg, size_t size, int flags);
ssize_t tls_handoff_splice_read(struct socket *app, loff_t *ppos, struct pipe_inode_info *pipe,
				size_t len, unsigned int flags);
void tls_handoff_rx_look(struct tls_handoff_ctx *ctx, bool nonblock);
int tls_handoff_rx_pending(struct tls_handoff_ctx *ctx);
int tls_handoff_rx_stopped(struct tls_handoff_ctx *ctx);
int tls_handoff_rx_between(struct tls_handoff_ctx *ctx, struct tls_handoff_rx_failure *failure);
int tls_handoff_rx_divert(struct tls_handoff_ctx *ctx, struct tls_handoff_rx_failure *failure);
int tls_handoff_rx_result(struct tls_handoff_ctx *ctx, int ret, int other_type,
			  struct tls_handoff_rx_failure *failure);
u64 tls_handoff_rx_sequence(const struct tls_handoff_ctx *ctx);
void tls_handoff_rx_limit(struct tls_handoff_ctx *ctx, u64 sequence);

/* read_sock.c: data to a consumer that takes it out of the records */
int tls_handoff_read_sock(struct sock *sk, read_descriptor_t *desc, sk_read_actor_t actor);

/* alert.c: names */
const char *tls_handoff_alert_name(int description);

/* send.c: data from the program, close_notify */
int tls_handoff_sendmsg(struct socket *app, struct msghdr *msg, size_t size);
void tls_handoff_splice_eof(struct socket *app);
int tls_handoff_send_record(struct tls_handoff_ctx *ctx, u8 type, struct msghdr *msg, size_t size);
void tls_handoff_send_close(struct tls_handoff_ctx *ctx);
void tls_handoff_tx_unlock(struct tls_handoff_ctx *ctx);
void tls_handoff_tx_turn_over(struct tls_handoff_ctx *ctx);
void tls_handoff_tx_release(struct tls_handoff_ctx *ctx);
int tls_handoff_rekey(struct tls_handoff_ctx *ctx);
void tls_handoff_key_expired(struct tls_handoff_ctx *ctx);

/* options.c: SOL_TLS_HANDOFF, and what is refused elsewhere */
int tls_handoff_setsockopt(struct socket *app, int level, int optname, sockptr_t optval,
			   unsigned int optlen);
int tls_handoff_getsockopt(struct socket *app, int level, int optname, char __user *optval,
			   int __user *optlen);
void tls_handoff_params_put(struct tls_handoff_params *params);
void tls_handoff_results_free(struct tls_handoff_results *results);
struct tls_handoff_results *tls_handoff_results(struct tls_handoff_ctx *ctx);
void tls_handoff_fill_info(struct tls_handoff_ctx *ctx, struct tls_handoff_info *info);

/* exporter.c: keying material for the program */
int tls_handoff_get_exporter(struct tls_handoff_ctx *ctx, char __user *optval, int __user *optlen);
const void *tls_handoff_export_question(struct tls_handoff_ctx *ctx, u32 *ret_request,
					size_t *ret_size);
void tls_handoff_export_again(struct tls_handoff_ctx *ctx);
void tls_handoff_export_end(struct tls_handoff_ctx *ctx, int error);
int tls_handoff_exported(struct tls_handoff_ctx *ctx, sockptr_t optval, unsigned int optlen);

/* session.c: the session fd */
int tls_handoff_session_init(void);
void tls_handoff_session_exit(void);
struct file *tls_handoff_session_alloc(struct net *net);
int tls_handoff_session_attach(struct tls_handoff_ctx *ctx, struct file *file);
struct file *tls_handoff_session_file(struct tls_handoff_ctx *ctx, struct net *net);
void tls_handoff_session_quiet(struct tls_handoff_ctx *ctx);
void tls_handoff_session_wake(struct tls_handoff_ctx *ctx);
void tls_handoff_session_event(struct tls_handoff_ctx *ctx, unsigned int event);
int tls_handoff_session_type(struct msghdr *msg, u8 *type);

/* upcall.c: the netlink family */
int tls_handoff_upcall_init(void);
void tls_handoff_upcall_exit(void);
int tls_handoff_upcall_add(struct tls_handoff_ctx *ctx);
int tls_handoff_upcall_adopt(struct tls_handoff_ctx *ctx);
void tls_handoff_upcall_remove(struct tls_handoff_ctx *ctx);

/* stats.c: per-namespace counters */
int tls_handoff_stats_init(struct net *net, struct tls_handoff_net *tnet);
void tls_handoff_stats_exit(struct net *net, struct tls_handoff_net *tnet);

/* main.c */
struct tls_handoff_net *tls_handoff_net(const struct net *net);

static inline void tls_handoff_stat_inc(struct tls_handoff_net *net, enum tls_handoff_stat stat)
{
	this_cpu_inc(net->stats[stat]);
}

static inline void tls_handoff_stat_dec(struct tls_handoff_net *net, enum tls_handoff_stat stat)
{
	this_cpu_dec(net->stats[stat]);
}

#endif /* _TLS_HANDOFF_H */
