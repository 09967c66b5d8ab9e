internal import TributaryCore
internal import TributaryLMDB
internal import TributaryRuntime
internal import TributaryState

/// Keeps persistent stores in LMDB, one environment a task below the state directory.
struct LMDBEngines: EngineFactory {
    let directory: String
    let mapSize: Int
    let faults: LMDBFaults?
    let killPoint: KillPointHook?

    private func folder(_ task: String) -> String { "\(directory)/\(task)" }

    func persistentEngine(task: String, withoutChangelog: [String]) throws -> any StateEngine {
        var options = LMDBStateOptions(mapSize: mapSize)
        options.faults = faults
        options.killPoint = killPoint
        do throws(StoreError) {
            return try LMDBStateEngine(directory: folder(task), options: options)
        } catch {
            guard error.code == .corrupt || error.code == .unknownFormat else { throw error }
            // The changelog has it all: what cannot be trusted is made anew.
            try LMDBStateEngine.delete(directory: folder(task))
            return try LMDBStateEngine(directory: folder(task), options: options)
        }
    }

    func memoryEngine(task: String) throws -> any StateEngine { MemoryEngine() }
}
