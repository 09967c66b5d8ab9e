internal import CLinux

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A thread of the operating system, for work that blocks or must not hop between threads, as LMDB's write transactions.
@safe package final class OSThread: Sendable {
    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void

        init(name: String, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    private let id: pthread_t

    /// Starts a thread that runs `body` once and must be waited for by ``join()``; nil if the system gives none.
    package init?(_ name: String, _ body: @escaping @Sendable () -> Void) {
        guard case .success(let id) = Self.create(name, stack: nil, body) else { return nil }
        self.id = id
    }

    /// Waits until it has ended.
    ///
    /// Once only, and not from the thread itself.
    package func join() { _ = pthread_join(id, nil) }

    /// Starts a thread that runs `body` once and that nobody waits for.
    ///
    /// - Parameters:
    ///   - name: what tools show; 15 bytes of it.
    ///   - stack: bytes of its stack; the system's default unless given.
    /// - Returns: 0, or the system's number of the error if it gave no thread.
    package static func start(
        _ name: String, stack: Int? = nil, _ body: @escaping @Sendable () -> Void
    ) -> CInt {
        switch create(name, stack: stack, body) {
        case .success(let id): pthread_detach(id)
        case .failure(let refusal): refusal.code
        }
    }

    private struct Refusal: Error { let code: CInt }

    private static func create(
        _ name: String, stack: Int?, _ run: @escaping @Sendable () -> Void
    ) -> Result<pthread_t, Refusal> {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        if let stack { unsafe pthread_attr_setstacksize(&attributes, stack) }
        #if canImport(Glibc)
            var id = pthread_t()
        #else
            var id: pthread_t?
        #endif
        let body = unsafe Unmanaged.passRetained(Body(name: name, run: run))
        let status = unsafe pthread_create(
            &id, &attributes,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let body = unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                unsafe linux_thread_set_name(body.name)
                body.run()
                return nil
            }, unsafe body.toOpaque())
        #if canImport(Glibc)
            if status == 0 { return .success(id) }
        #else
            if status == 0, let id { return .success(id) }
        #endif
        unsafe body.release()
        return .failure(Refusal(code: status))
    }
}
