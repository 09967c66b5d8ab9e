package import TributaryCore
package import TributaryLineage
internal import TributaryState

/// Opens stores as processors use them for who drives a task by hand: no record is being processed, and all stores are open.
///
/// Used on the task's thread.
package final class StoreOpener {
    private let core: ProcessorCore
    private let services: any TaskServices

    /// Makes an opener for the stores of a task.
    package init(_ services: any TaskServices, _ recorder: LineageRecorder) {
        self.services = services
        core = ProcessorCore(NodeContext(services: services, recorder: recorder), "test", stores: [])
    }

    /// Forgets what was read, and says what time what is written from now on has, ms.
    package func begin(at time: Int64) {
        let held = CollectionOfOne(Lineage.none)
        core.end(
            core.begin(
                RecordMeta(
                    key: .empty, hasKey: false, keyIsStale: false, timestamp: max(time, 0), origin: .none,
                    headers: .empty, lineage: held.span)))
    }

    /// Opens the store behind a handle.
    package func open<Store>(_ handle: StoreHandle<Store>) throws -> Store {
        handle.open(try services.store(handle.storeName), core)
    }

    /// Opens a key-value store.
    package func keyValue<Key, Value>(
        _ name: String, _ key: Serde<Key>, _ value: Serde<Value>
    ) throws -> KeyValueStore<Key, Value> { KeyValueStore(try services.store(name), core, key, value) }

    /// Opens a window store.
    package func window<Key, Value>(
        _ name: String, _ key: Serde<Key>, _ value: Serde<Value>
    ) throws -> WindowStore<Key, Value> { WindowStore(try services.store(name), core, key, value) }

    /// Opens a session store.
    package func session<Key, Value>(
        _ name: String, _ key: Serde<Key>, _ value: Serde<Value>
    ) throws -> SessionStore<Key, Value> { SessionStore(try services.store(name), core, key, value) }

    /// Opens a store of versions.
    package func versioned<Key, Value>(
        _ name: String, _ key: Serde<Key>, _ value: Serde<Value>
    ) throws -> VersionedKeyValueStore<Key, Value> {
        VersionedKeyValueStore(try services.store(name), core, key, value)
    }
}
