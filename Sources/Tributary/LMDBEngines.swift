internal import TributaryCore
internal import TributaryLMDB
internal import TributaryRuntime
internal import TributaryState

/// Keeps persistent stores in LMDB, one environment a task below the state directory.
struct LMDBEngines: EngineFactory {
    let directory: String
    let mapSize: Int
    let checkedBytes: Int
    let faults: LMDBFaults?
    let log: LogSink
    let killPoint: KillPointHook?

    private func folder(_ task: String) -> String { "\(directory)/\(task)" }

    func persistentEngine(task: String, withoutChangelog alone: [String]) throws -> any StateEngine {
        var options = LMDBStateOptions(mapSize: mapSize)
        options.checkedBytes = checkedBytes
        options.faults = faults
        options.killPoint = killPoint
        // Deaths say nothing certain against the file, and here nothing could take its place.
        if !alone.isEmpty { options.maximumDeaths = Int.max }
        let folder = folder(task)
        do throws(StoreError) {
            return try LMDBStateEngine(directory: folder, options: options)
        } catch {
            guard error.code == .corrupt || error.code == .unknownFormat else { throw error }
            if let first = alone.first {
                throw StoreError(
                    error.code,
                    "\(error.message). It holds \(alone.joined(separator: ", ")), which no changelog could give back: put a "
                        + "copy of \(folder) in its place, or delete that folder to begin without what was in it",
                    store: first)
            }
            log(
                .warning, "the state of a task is rebuilt from its changelogs",
                [("task", task), ("reason", error.message)],
                source: "Tributary")
            try LMDBStateEngine.delete(directory: folder)
            return try LMDBStateEngine(directory: folder, options: options)
        }
    }

    func memoryEngine(task: String) throws -> any StateEngine { MemoryEngine() }
}
